"""Jobs elsewhere see the plan as it was when the main process started."""

import json
import shutil
from pathlib import Path

import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline.frozen import freeze, open_plan

ROOT = Path(__file__).parents[2]
CHOICE = {"overrides": "seeds=[1,2] name=mine models.lstm_small.hidden=20"}


@pytest.fixture
def root(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copytree(ROOT / "workflow" / "scripts", tmp_path / "workflow" / "scripts")
    return tmp_path


def test_a_frozen_plan_is_the_same_whatever_is_edited_meanwhile(root, monkeypatch):
    plan = open_plan(root, CHOICE, main=True)
    freeze(plan, root)
    (root / "config" / "model" / "lstm_small.yaml").write_text("edited: meanwhile\n")
    for script in (root / "workflow" / "scripts").iterdir():
        script.write_text("edited = True\n")
    monkeypatch.setattr("attnpipe.pipeline.frozen.versions", dict)
    assert list(open_plan(root, CHOICE, main=False).jobs()) == list(plan.jobs())
    record = json.loads((root / "results" / "mine" / "config.json").read_text())
    assert record["config"]["models"]["lstm_small"]["hidden"] == 20


def test_without_a_frozen_plan_a_job_elsewhere_says_so(root):
    with pytest.raises(UserError, match="cannot read"):
        open_plan(root, CHOICE, main=False)
