"""Jobs elsewhere see the plan as it was when the main process started."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline.frozen import freeze, open_plan

ROOT = Path(__file__).parents[2]
CHOICE = {"overrides": "seeds=[1,2] name=mine models.lstm_small.hidden=20"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Where the graph of imports is kept from one test to the next."""
    return tmp_path_factory.mktemp("grimp")


@pytest.fixture
def root(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("attnpipe.pipeline.frozen.CACHE", cache)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copytree(ROOT / "workflow" / "scripts", tmp_path / "workflow" / "scripts")
    return tmp_path


def test_a_frozen_plan_is_the_same_whatever_is_edited_meanwhile(root, monkeypatch):
    plan = open_plan(root, CHOICE, main=True)
    frozen = freeze(plan, root)
    (root / "config" / "model" / "lstm_small.yaml").write_text("edited: meanwhile\n")
    for script in (root / "workflow" / "scripts").iterdir():
        script.write_text("edited = True\n")
    monkeypatch.setattr("attnpipe.pipeline.frozen.versions", dict)
    assert list(open_plan(root, frozen, main=False).jobs()) == list(plan.jobs())
    record = json.loads((root / "results" / "mine" / "config.json").read_text())
    assert record["config"]["models"]["lstm_small"]["hidden"] == 20


def test_weights_that_are_saved_meanwhile_belong_to_the_next_invocation(root, tmp_path):
    def save(run, name):
        file = tmp_path / "weights" / run / f"attention_{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.full(50, 1 / 50))

    for run in ("a_seed1", "a_seed2"):
        save(run, "test")
    overrides = f"seeds=[1] data.path={tmp_path / 'weights'}"
    plan = open_plan(root, {"study": "saved_weights", "overrides": overrides}, main=True)
    frozen = freeze(plan, root)
    jobs = list(plan.jobs())
    assert [job.wildcards for job in jobs if job.stage == "measure"] == [
        {"model": "a", "seed": "1"}
    ]
    save("a_seed1", "epoch_001")
    save("b_seed1", "test")
    assert list(open_plan(root, frozen, main=False).jobs()) == jobs


def test_a_title_that_a_shell_would_take_for_its_own_leaves_only_a_checksum(root):
    overrides = r"""title='It\'s\'$(>ran) `>ran` "\\'"""
    plan = open_plan(root, {"overrides": overrides}, main=True)
    assert plan.study.spec.title == """It's'$(>ran) `>ran` "\\"""
    ((key, value),) = freeze(plan, root).items()
    assert re.fullmatch("[a-z]+=[0-9a-f]{64}", f"{key}={value}")
    assert open_plan(root, {key: value}, main=False).study.spec.title == plan.study.spec.title


def test_a_frozen_plan_that_was_edited_is_refused(root):
    frozen = freeze(open_plan(root, CHOICE, main=True), root)
    (file,) = (root / ".snakemake" / "attnpipe").iterdir()
    file.write_text(file.read_text().replace('"hidden": 20', '"hidden": 21'))
    with pytest.raises(UserError, match="is not what was frozen; run the same command again"):
        open_plan(root, frozen, main=False)


def test_each_config_is_frozen_by_itself(root):
    first = freeze(open_plan(root, CHOICE, main=True), root)
    other = freeze(open_plan(root, {"overrides": "seeds=[3] name=mine"}, main=True), root)
    assert first != other
    seeds = [open_plan(root, frozen, main=False).study.spec.seeds for frozen in (first, other)]
    assert seeds == [[1, 2], [3]]


def test_without_a_frozen_plan_a_job_elsewhere_says_so(root):
    with pytest.raises(UserError, match="cannot read"):
        open_plan(root, CHOICE, main=False)
