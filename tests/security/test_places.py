"""Whatever config and folders of data are called, outputs lie below `results`."""

import re
import shlex
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.plan import Plan
from attnpipe.pipeline.versions import versions

CONFIG = Path(__file__).parents[2] / "config"
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*|\.verified")
HOSTILE = [
    "../evil", "..", ".", "/etc/evil", "a/../../b", "a/b", "a b", "-rf", "$(touch x)", "`x`",
    "a;b", "~", "a\\nb", "{seed}", "a\\x00b", "%2e%2e", "..\\\\b", "<b>", "*", "",
]  # fmt: skip
KEYS = ['name="NAME"', 'data.name="NAME"']
MLP = "{kind:mlp,label:x,input:last,hidden:[4]}"
GROUPS = [
    "+model@models.NAME=mlp_last models.NAME.label=x models.NAME.hidden=[4]",
    f"+models.NAME={MLP}",
    f"+models={{NAME:{MLP}}}",
]


def outputs(config):
    """Return every output of a study."""
    plan = Plan(load_study(CONFIG, config), lambda script, members=(): "0", versions())
    return [PurePosixPath(name) for job in plan.jobs() for name in job.outputs]


def below_results(path):
    first, *rest = path.parts
    return first == "results" and rest and all(PLAIN.fullmatch(part) for part in rest)


def named(group, name):
    """Return the overrides of a study with a name of somebody's choice."""
    return {"overrides": group.replace("NAME", name)}


def assert_harmless(config):
    """Either one sentence refuses a config, or all outputs lie where they should."""
    try:
        placed = outputs(config)
    except UserError as refused:
        placed, sentence = [], str(refused)
    else:
        sentence = ""
    assert "\n" not in sentence
    assert all(map(below_results, placed))
    return placed


def test_outputs_of_the_studies_lie_below_results():
    for study in ("geomagnetic", "steering", "induction", "ground_truth", "prompts", "encoder"):
        assert all(map(below_results, outputs({"study": study})))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("key", KEYS)
def test_a_name_that_leads_elsewhere_is_refused(key, name):
    assert_harmless(named(key, name))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("group", GROUPS)
def test_a_key_that_leads_elsewhere_is_refused(group, name):
    assert_harmless(named(group, name))


@pytest.mark.parametrize("group", [*KEYS, *GROUPS])
def test_a_plain_name_in_their_place_is_taken(group):
    """So that what is refused above is refused for its name."""
    placed = assert_harmless(named(group, "plain"))
    assert any("plain" in re.split(r"[./]", str(path)) for path in placed)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_figure_that_leads_elsewhere_is_refused(name):
    """Figures have fixed names."""
    assert assert_harmless(named("+figure.show.NAME={}", name)) == []


@pytest.mark.parametrize("name", [n for n in HOSTILE if "/" not in n and n not in ("", ".", "..")])
def test_folders_of_saved_weights_name_no_other_place(tmp_path, name):
    run = tmp_path / f"{name}_seed1"
    run.mkdir()
    np.save(run / "attention_test.npy", np.full(4, 0.25, dtype=np.float32))
    overrides = f"data.path={shlex.quote(str(tmp_path))} data.layout=profiles"
    placed = assert_harmless({"study": "saved_weights", "overrides": overrides})
    if re.search("[A-Za-z0-9]", name):
        assert placed, "folders may be called anything: what is plain of their names is kept"
