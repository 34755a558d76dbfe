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
    def ask(seed):
        composed(folder, "geomagnetic", "quick", [f"seeds=[{seed}]"], tmp_path)
        return len(times)

    for seed in range(KEPT):
        ask(seed)
    assert ask(0) == KEPT  # it is kept, and now the last that was asked for
    assert ask(KEPT) == KEPT + 1
    assert ask(0) == KEPT + 1
    assert ask(1) == KEPT + 2


def test_what_lies_behind_a_link_counts(folder, tmp_path):
    shared = folder.parent / "shared"
    (folder / "study").rename(shared)
    (folder / "study").symlink_to(shared)
    edited = shared / "geomagnetic.yaml"
    for seeds in ([5], [6, 7]):
        text = re.sub(r"(?m)^seeds: .*\n", "", edited.read_text())
        edited.write_text(f"{text}\nseeds: {seeds}\n")
        assert composed(folder, "geomagnetic", "quick", [], tmp_path)["seeds"] == seeds


def test_a_folder_that_holds_itself_is_composed_each_time(folder, tmp_path, times):
    (folder / "model" / "again").symlink_to(folder)
    for _ in range(2):
        composed(folder, "geomagnetic", "quick", [], tmp_path)
    assert len(times) == 2


def test_what_is_edited_while_it_is_composed_is_not_kept(folder, tmp_path, monkeypatch):
    edited = folder / "study" / "geomagnetic.yaml"
    before = edited.read_text()
    make = compose.compose_container

    def edit(*given):
        edited.write_text(f"{before}\nseeds: [5]\n")
        return make(*given)

    with monkeypatch.context() as patched:
        patched.setattr(compose, "compose_container", edit)
        assert composed(folder, "geomagnetic", "quick", [], tmp_path)["seeds"] == [5]
    edited.write_text(before)
    assert composed(folder, "geomagnetic", "quick", [], tmp_path)["seeds"] != [5]


def test_a_kept_config_that_is_not_what_was_written_is_composed(folder, tmp_path, times):
    first = composed(folder, "geomagnetic", "quick", ["seeds=[31]"], tmp_path)
    file = tmp_path / "composed.json"
    file.write_text(file.read_text().replace("[31]", "[32]"))
    assert composed(folder, "geomagnetic", "quick", ["seeds=[31]"], tmp_path) == first
    assert len(times) == 2


def test_what_json_has_no_words_for_is_not_kept(folder, tmp_path, times):
    edited = folder / "study" / "geomagnetic.yaml"
    edited.write_text(f"{edited.read_text()}\nodd: !!binary aGk=\n")
    for _ in range(2):
        assert composed(folder, "geomagnetic", "quick", [], tmp_path)["odd"] == b"hi"
    assert len(times) == 2
