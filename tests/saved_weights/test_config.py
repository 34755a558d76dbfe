"""The config of saved weights: complete, strict, and chosen by the study."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import ValidationError

from attnpipe.figures.registry import NEEDS
from attnpipe.schema.data import SavedWeightsData

CONFIG = Path(__file__).parents[2] / "config"


def composed(tmp_path, *overrides):
    """Compose the study alone, below a config that stands in for the main one."""
    (tmp_path / "config.yaml").write_text(
        f"hydra:\n  searchpath: ['file://{CONFIG}']\n"
        "defaults: [_self_, figure: default, study: saved_weights]\n"
        "seeds: [7, 42]\ndata: {}\nmodels: {}\ntraining: {epochs: 3}\n"
    )
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        return OmegaConf.to_container(compose("config", list(overrides)))


def test_the_study_needs_no_more_than_a_path(tmp_path):
    study = composed(tmp_path, "data.path=/data/attention")
    assert study["name"] == "saved_weights"
    assert (study["seeds"], study["models"], study["training"]) == ([], {}, None)
    spec = SavedWeightsData.model_validate(study["data"])
    assert spec.path == "/data/attention"


def test_the_path_must_be_given(tmp_path):
    study = composed(tmp_path)
    assert study["data"]["path"] == "???"


def test_the_file_names_every_key_with_its_default(tmp_path):
    data = composed(tmp_path, "data.path=x")["data"]
    given = SavedWeightsData.model_validate(data)
    assert set(data) == set(SavedWeightsData.model_fields)
    assert given == SavedWeightsData(kind="saved_weights", name="saved_weights", path="x")


def test_dictionaries_can_be_given_on_the_command_line(tmp_path):
    data = composed(
        tmp_path,
        "data.path=x",
        "data.layout=arrays",
        "data.axes=[head,key]",
        "+data.files.m4={7:a.npy,42:b.npy}",
        "+data.published_row.m4=mean_query",
    )["data"]
    spec = SavedWeightsData.model_validate(data)
    assert spec.files == {"m4": {7: "a.npy", 42: "b.npy"}}
    assert spec.published_row == {"m4": "mean_query"}


def test_figures_are_the_default_ones_without_forecasts_and_losses(tmp_path):
    figure = composed(tmp_path)["figure"]
    default = OmegaConf.to_container(OmegaConf.load(CONFIG / "figure" / "default.yaml"))
    dropped = {"gates", "use_and_benefit", "forest", "loss_curves"}
    assert list(figure["show"]) == [name for name in default["show"] if name not in dropped]
    assert {k: v for k, v in figure.items() if k != "show"} == {
        k: v for k, v in default.items() if k != "show"
    }
    assert not any("history" in NEEDS[name] for name in figure["show"])


ARRAYS = {"layout": "arrays", "axes": ["key"], "files": {"m": {1: "a.npy"}}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axes": ["query"]}, "axes must name 'key': the axis over which a row sums to 1"),
        ({"axes": ["key", "key"]}, "axes names 'key' twice; name each axis once"),
        (
            {"layout": "arrays"},
            "layout 'arrays' needs 'files' (model → seed → file) and 'axes'",
        ),
        (
            {"files": {"m": {1: "a.npy"}}},
            "'files' has no use in layout 'profiles'; set layout to 'arrays'",
        ),
        (
            ARRAYS | {"prefixes": {"m": "A"}},
            "'prefixes' has no use in layout 'arrays'; name the models in 'files'",
        ),
        ({"array": "x"}, "'array' has no use in layout 'profiles': an npy holds one array"),
        (
            {"layout": "batches", "final": "last_epoch"},
            "layout 'batches' has no epochs; set final to 'auto'",
        ),
        (
            {"axes": ["head", "key"], "averaged_over": ["head"]},
            "'head' stands in both axes and averaged_over; an averaged axis is gone",
        ),
        ({"prefixes": {"a": "A", "b": "A"}}, "prefixes gives 'A' to two models; name it once"),
    ],
)
def test_keys_that_do_not_fit_the_layout_are_said(options, message):
    given = {"kind": "saved_weights", "name": "import", "path": "x"} | options
    with pytest.raises(ValidationError) as refused:
        SavedWeightsData.model_validate(given)
    (fault,) = refused.value.errors()
    assert fault["msg"] == f"Value error, {message}"


@pytest.mark.parametrize(
    "options",
    [
        {"prefixes": {"a/b": "A"}},
        {"prefixes": {"..": "A"}},
        {"layout": "folders"},
        {"axes": ["keys"]},
        ARRAYS | {"files": {"m": {-1: "a.npy"}}},
        ARRAYS | {"files": {"m": {2**32: "a.npy"}}},
        {"keys": 1},
        {"keys": 50.0},
        {"max_megabytes": 0},
        {"tolerance": 0.5},
        {"prefix": {}},
    ],
)
def test_impossible_values_are_refused(options):
    given = {"kind": "saved_weights", "name": "import", "path": "x"} | options
    with pytest.raises(ValidationError):
        SavedWeightsData.model_validate(given)
