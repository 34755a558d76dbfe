import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
from snakemake.cli import parse_config
from tests.text.tiny_model import save_tiny_llama

from attnpipe.diagnosis.verdicts.table import Name
from attnpipe.pipeline.cli import configuration, main
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.pages import pages

ROOT = Path(__file__).parents[1]
HEADS = 4
"""Of the tiny model."""


@pytest.mark.parametrize("name", ["configuration.md", "results.md", "diagnosis.schema.json"])
def test_generated_pages_are_current(name):
    assert (ROOT / "docs" / name).read_text() == pages(ROOT / "config")[name], "run `make docs`"


def test_the_readme_names_every_verdict():
    text = (ROOT / "README.md").read_text()
    assert [name for name in get_args(Name) if not re.search(rf"\b(?<!-){name}\b", text)] == []


def test_the_architecture_names_folders_of_tests_that_are_there():
    named = re.findall(r"`(tests/[\w./]+)`", (ROOT / "docs" / "architecture.md").read_text())
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


HEAD = "| to | write inside `overrides='…'` |\n|---|---|\n"
_, *AFTER = (ROOT / "docs" / "configuration.md").read_text().split(HEAD)
STUDIES = ("geomagnetic", "prompts")
"""Of the tables of what to write."""
PASTED = [
    (study, *re.fullmatch(r"\| ([^|]+) \| `([^`]+)` \|", row).groups())
    for study, table in zip(STUDIES, AFTER, strict=True)
    for row in table.partition("\n\n")[0].splitlines()
]
assert len(PASTED) >= 11, "the tables are not where they were"
MODEL = "/data/my-model"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return str(folder)


@pytest.mark.parametrize(("study", "purpose", "override"), PASTED)
def test_what_to_write_can_be_pasted(model, study, purpose, override):
    """As a shell and Snakemake, or `describe`, pass it on."""
    given = shlex.split(f"study={study} overrides='{override.replace(MODEL, model)}'")
    plain = load_study(ROOT / "config", {"study": study}).spec
    for config in (parse_config(given), configuration(given)):
        assert load_study(ROOT / "config", config).spec != plain, purpose


def commands():
    """Yield what stands behind `--config` in README's commands that change study prompts."""
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    for command in re.split(r"\n(?! )", "\n".join(blocks)):
        if "--config study=prompts overrides=" in command:
            yield shlex.split(command.partition("--config ")[2], comments=True)


def test_commands_about_prompts_are_accepted_and_have_results_of_their_own(model):
    names = []
    for given in commands():
        config = parse_config([value.replace(MODEL, model) for value in given])
        names.append(load_study(ROOT / "config", config).spec.name)
    assert len(names) >= 2
    assert len({*names, "prompts"}) == len(names) + 1


def python_of(page):
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    return block


def test_the_fast_path_runs_as_it_stands(model, capsys):
    """With a folder of one's own; README shows a part of it."""
    code = python_of((ROOT / "docs" / "performance.md").read_text())
    own = code.replace(MODEL, model)
    assert own != code
    exec(compile(own, "performance.md", "exec"), names := {})
    assert len(names["view"].means.means("entropy").mean) == HEADS
    assert capsys.readouterr().out.count("\n") == 1
    assert names["battery"].engine.name in ("native", "array")
    shown = python_of((ROOT / "README.md").read_text())
    exec(compile(shown, "README.md", "exec"), names)


def test_describe_takes_what_stands_behind_config(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    said = []
    for flag in ((), ("--config",), ("-C",)):
        assert main(["describe", *flag, "study=prompts", "data.questions=8"]) == 0
        said.append(capsys.readouterr().out)
    assert "8 questions" in said[0]
    assert said[0] == said[1] == said[2]


def test_describe_says_that_it_writes_no_result(capsys):
    with pytest.raises(SystemExit):
        main(["describe", "--help"])
    assert "Nothing is run, no result is written." in " ".join(capsys.readouterr().out.split())
