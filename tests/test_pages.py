import re
import shlex
from pathlib import Path

import pytest
from snakemake.cli import parse_config

from attnpipe.pipeline.cli import configuration
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.pages import pages

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["configuration.md", "results.md", "diagnosis.schema.json"])
def test_generated_pages_are_current(name):
    assert (ROOT / "docs" / name).read_text() == pages(ROOT / "config")[name], "run `make docs`"


HEAD = "| to | write inside `overrides='…'` |\n|---|---|\n"
_, _, AFTER = (ROOT / "docs" / "configuration.md").read_text().partition(HEAD)
ROWS = AFTER.partition("\n\n")[0].splitlines()
assert len(ROWS) >= 5, "the table is not where it was"
PASTED = [re.fullmatch(r"\| ([^|]+) \| `([^`]+)` \|", row).groups() for row in ROWS]


@pytest.mark.parametrize(("purpose", "override"), PASTED)
def test_what_to_write_can_be_pasted(purpose, override):
    """As a shell and Snakemake, or `describe`, pass it on."""
    (given,) = shlex.split(f"overrides='{override}'")
    plain = load_study(ROOT / "config", {}).spec
    for config in (parse_config([given]), configuration([given])):
        assert load_study(ROOT / "config", config).spec != plain, purpose
