"""Whether results fit on their disk is said before they are made."""

from collections import namedtuple
from pathlib import Path

import pytest
from tests.text.tiny_model import save_tiny_llama

from attnpipe.core.errors import UserError
from attnpipe.models.build import count_parameters
from attnpipe.pipeline import room
from attnpipe.pipeline.cli import main
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.disk import disk_bytes
from attnpipe.pipeline.frozen import open_plan
from attnpipe.pipeline.parameters import most_parameters

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
WIDE = "models.lstm_small.hidden=65536 models.mlp_flat.hidden=[65536,65536]"
ARMS = "models.two_layers.heads=64 data.window=512"

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Lets a test say how many bytes the disk has free."""

    def let(size):
        monkeypatch.setattr(room.shutil, "disk_usage", lambda _: Usage(2 * size, size, size))

    return let


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"scale": "published"},
        {"study": "ground_truth"},
        {"study": "induction"},
        {"study": "induction", "overrides": ARMS},
        {"overrides": WIDE},
    ],
)
def test_no_model_has_more_parameters_than_the_bound(choice):
    study = load_study(CONFIG, choice)
    most, window = most_parameters(study), study.spec.data.window
    assert most.keys() == study.models.keys()
    for name, model in study.models.items():
        assert count_parameters(model, study.facts.features, window) <= most[name], name


def test_the_bound_spares_torch_where_a_study_is_small():
    study = load_study(CONFIG, {})
    assert disk_bytes(study, most_parameters(study), 1) < 10 * disk_bytes(study, {}, 1)


def test_results_that_do_not_fit_are_said_with_what_helps(tmp_path, free):
    free(2 * 2**30)
    assert room.lacking(tmp_path, "mine", 2 * 2**30) is None
    said = room.lacking(tmp_path, "mine", 5 * 2**30)
    assert said.startswith("'results/mine' will take about 5.0 GiB more, but its disk has 2.0 GiB")
    assert "free space or make the study smaller (fewer seeds" in said


def test_what_is_there_already_is_not_needed_again(tmp_path, free):
    folder = tmp_path / "results" / "mine" / "runs"
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(bytes(600))
    free(500)
    assert room.lacking(tmp_path, "mine", 1100) is None
    assert room.lacking(tmp_path, "mine", 1101) is not None


@pytest.mark.parametrize(
    ("gigabytes", "counted", "lacks"),
    [(2000, False, False), (1, True, False), (0.01, True, True)],
)
def test_a_run_counts_parameters_only_where_they_may_matter(
    free, monkeypatch, gigabytes, counted, lacks
):
    plan, asked = open_plan(ROOT, {"overrides": "name=absent"}, main=True), []
    known = room.known_parameters
    monkeypatch.setattr(room, "known_parameters", lambda *of: asked.append(of) or known(*of))
    free(int(gigabytes * 2**30))
    assert (room.shortage(plan, ROOT) is not None, bool(asked)) == (lacks, counted)


@pytest.mark.parametrize(
    ("study", "override", "says"),
    [
        ("geomagnetic", "models.lstm_small.hidden=999999999", "less than or equal to 65536"),
        ("geomagnetic", "models.lstm_small.layers=2000", "less than or equal to 1024"),
        ("geomagnetic", "models.mlp_flat.hidden=[70000]", "'models.mlp_flat.hidden' has 70000"),
        ("geomagnetic", "sizes.small.hidden=70000", "'sizes.small.hidden' is 70000"),
        ("geomagnetic", "models.lstm_medium_additive.attention.size=70000", "size' is 70000"),
        ("induction", "models.two_layers.width=131072", "'models.two_layers.width' is 131072"),
        ("induction", "models.two_layers.heads=2048", "'models.two_layers.heads' is 2048"),
        ("induction", "data.vocabulary=999999999", "'data.vocabulary' is 999999999"),
        ("induction", "data.window=999999999", "'data.window' is 999999999"),
        ("ground_truth", "data.window=999999999", "'data.window' is 999999999"),
        ("steering", "data.segments=999999999", "'data.segments' is 999999999"),
    ],
)
def test_sizes_that_nothing_can_hold_are_refused(study, override, says):
    with pytest.raises(UserError) as error:
        load_study(CONFIG, {"study": study, "overrides": override})
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("study", "heads", "written"),
    [("prompts", {"chat": 270}, 237.6e6), ("encoder", {"minilm": 72}, 33.8e6)],
)
def test_what_texts_leave_is_estimated_within_a_factor_of_two(study, heads, written):
    """As written by the default studies, without the models."""
    loaded = load_study(CONFIG, {"study": study})
    found = disk_bytes(loaded, {}, 40, heads)
    assert 1 / 2 < found / written < 2
    assert disk_bytes(loaded, {}, 40) == found  # these models are supposed
    (model,) = heads
    assert disk_bytes(loaded, {model: 1000}, 40, heads) == found + 4000
    larger = disk_bytes(loaded, {}, 40, {model: 4 * heads[model]})
    assert 1.5 < larger / found < 4


def test_describe_says_which_heads_it_supposes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parents[2])
    save_tiny_llama(tmp_path)
    own = f"model@models.chat=local models.chat.source.path={tmp_path}"
    for given, says in (("name=unheard", True), (f"name=unheard {own}", False)):
        assert main(["describe", "study=prompts", f"overrides={given}"]) == 0
        assert ("supposing 270 heads in chat" in capsys.readouterr().out) is says
