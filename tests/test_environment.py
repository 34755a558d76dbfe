"""What is installed is what was pinned."""

import re
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_installed_package_is_pinned_at_its_version() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {normalized(name): version for name, version in pins.items()}
    found = {
        normalized(d.metadata["Name"]): d.version.partition("+")[0]  # torch names its build there
        for d in distributions()
    }
    del found["attnpipe"]
    assert len(found) > 50
    assert {n: v for n, v in found.items() if pinned.get(n) != v} == {}
