"""What is installed is what was pinned."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    """Return package → version of lines such as ``name==1.0``; others are left out."""
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {normalized(name): version for name, version in pairs}


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text().splitlines())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = pins([line for extra in PROJECT["optional-dependencies"].values() for line in extra])
"""Of extras that name a version themselves."""


def test_extras_and_constraints_pin_the_same_versions() -> None:
    assert EXTRAS.keys() >= {"ziglang", "snakemake-executor-plugin-slurm"}
    assert {n: v for n, v in EXTRAS.items() if CONSTRAINTS.get(n, v) != v} == {}


def test_every_installed_package_is_pinned_at_its_version() -> None:
    pinned = EXTRAS | CONSTRAINTS
    found = {
        normalized(d.metadata["Name"]): d.version.partition("+")[0]  # torch names its build there
        for d in distributions()
    }
    del found["attnpipe"]
    assert len(found) > 50
    assert {n: v for n, v in found.items() if pinned.get(n) != v} == {}
