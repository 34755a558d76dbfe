"""A config that is kept is the one that would be composed now."""

import re
import shutil
from pathlib import Path

import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline import compose
from attnpipe.pipeline.composed import KEPT, composed

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


@pytest.fixture
def times(monkeypatch):
    """Calls of Hydra."""
    made = []
    make = compose.compose_container
    monkeypatch.setattr(
        compose, "compose_container", lambda *given: made.append(given) or make(*given)
    )
    return made


@pytest.mark.parametrize("study", [path.stem for path in sorted((CONFIG / "study").iterdir())])
def test_it_is_composed_once_and_the_same_each_time(folder, tmp_path, study, times):
    given = ["data.path=x", "data.features=[a]", "data.target=a"]
    given += ["analysis.contrast.accuracy_threshold=1"]
    overrides = {"csv": given, "saved_weights": given[:1]}.get(study, [])
    plain = compose.compose_container(folder, study, "quick", overrides)
    times.clear()
    found = [composed(folder, study, "quick", overrides, tmp_path / "cache") for _ in range(3)]
    assert len(times) == 1
    for each in found:
        assert each == plain
        assert list(each["models"]) == list(plain["models"])


def test_what_is_edited_added_or_asked_for_otherwise_is_composed_anew(folder, tmp_path, times):
    def seeds(*overrides, scale="quick"):
        return composed(folder, "geomagnetic", scale, overrides, tmp_path / "cache")["seeds"]

    first = seeds()
    assert seeds("seeds=[1,2]") == [1, 2]
    assert seeds() == first
    seeds(scale="published")
    assert len(times) == 3
    edited = folder / "study" / "geomagnetic.yaml"
    edited.write_text(edited.read_text() + "\nseeds: [5]\n")
    assert seeds() == [5]
    (folder / "model" / "mine.yaml").write_text("kind: mlp\n")
    assert seeds() == [5]
    assert len(times) == 5


def test_the_environment_decides_each_time(folder, tmp_path, monkeypatch):
    edited = folder / "study" / "geomagnetic.yaml"
    edited.write_text(re.sub(r"(?m)^title: .*$", "title: ${oc.env:OF_TODAY}", edited.read_text()))
    for title in ("first", "second"):
        monkeypatch.setenv("OF_TODAY", title)
        assert composed(folder, "geomagnetic", "quick", [], tmp_path)["title"] == title
    for name in ("first", "second"):
        monkeypatch.setenv("OF_TODAY", name)
        overrides = ["name=${oc.env:OF_TODAY}"]
        assert composed(folder, "geomagnetic", "quick", overrides, tmp_path)["name"] == name


def test_a_mistake_is_told_each_time(folder, tmp_path):
    for _ in range(2):
        with pytest.raises(UserError, match="unknown study 'geomagnetik'"):
            composed(folder, "geomagnetik", "quick", [], tmp_path)
        with pytest.raises(UserError, match="seedz"):
            composed(folder, "geomagnetic", "quick", ["seedz=[1]"], tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", "{", "\x00"])
def test_what_cannot_be_read_is_composed(folder, tmp_path, content):
    (tmp_path / "composed.json").write_text(content)
    found = composed(folder, "geomagnetic", "quick", [], tmp_path)
    assert found == compose.compose_container(folder, "geomagnetic", "quick", [])


def test_what_was_asked_for_last_is_kept(folder, tmp_path, times):
    for seed in range(KEPT + 1):
        composed(folder, "geomagnetic", "quick", [f"seeds=[{seed}]"], tmp_path)
    composed(folder, "geomagnetic", "quick", [f"seeds=[{KEPT}]"], tmp_path)
    assert len(times) == KEPT + 1
    composed(folder, "geomagnetic", "quick", ["seeds=[0]"], tmp_path)
    assert len(times) == KEPT + 2
