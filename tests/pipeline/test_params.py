"""What a job depends on: no more than it uses."""

from pathlib import Path

import pytest

from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.members import members
from attnpipe.pipeline.params import StudyParams

CONFIG = Path(__file__).parents[2] / "config"
RUN = {"model": "lstm_small_simple", "seed": "7"}


@pytest.mark.parametrize(("share", "trains"), [("0", False), ("0.1", True)])
def test_interventions_depend_on_how_models_are_trained_only_where_they_train(share, trains):
    study = load_study(CONFIG, {"overrides": f"intervention.finetune={share}"})
    values = StudyParams(study, [], {}).values("intervene", RUN)
    assert values["intervention"]["finetune"] == float(share)
    assert ("training" in values) == trains
    modules = members("intervene", RUN, study)
    assert ("attnpipe.training.adam" in modules) == trains


@pytest.mark.parametrize("stage", ["compare", "contrast"])
def test_an_arm_that_another_model_keeps_changes_nothing_for_those_that_compare_runs(stage):
    less = "models.lstm_medium_simple.arms=[none,uniform]"  # static is shared by scaled_dot
    before, after = (
        StudyParams(load_study(CONFIG, {"overrides": given}), [], {}).values(stage, {})
        for given in ("", less)
    )
    assert before == after
