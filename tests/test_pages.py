import re
import shlex
from pathlib import Path

import pytest
from snakemake.cli import parse_config
from tests.text.tiny_model import save_tiny_llama

from attnpipe.pipeline.cli import configuration
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.pages import pages

ROOT = Path(__file__).parents[1]
HEADS = 4
"""Of the tiny model."""


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


def python_of(page):
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    return block


def test_the_fast_path_runs_as_it_stands(tmp_path, capsys):
    """With a folder of one's own; README shows a part of it."""
    save_tiny_llama(tmp_path)
    code = python_of((ROOT / "docs" / "performance.md").read_text())
    own = code.replace('"/data/my-model"', repr(str(tmp_path)))
    assert own != code
    exec(compile(own, "performance.md", "exec"), names := {})
    assert len(names["view"].means.means("entropy").mean) == HEADS
    assert capsys.readouterr().out.count("\n") == 1
    assert names["battery"].engine.name in ("native", "array")
    shown = python_of((ROOT / "README.md").read_text())
    exec(compile(shown, "README.md", "exec"), names)
