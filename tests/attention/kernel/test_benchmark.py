"""What capture was measured to cost keeps its limits, and methods that differ are found."""

import json
from pathlib import Path

import pytest
from benchmarks.capture import EAGER, FOLDS, agree, place
from benchmarks.capturing.limits import FUSED, TIME, exceeded, exponents
from benchmarks.capturing.methods import prepare
from benchmarks.capturing.model import save
from benchmarks.capturing.page import page

RESULT = Path(__file__).parents[3] / "benchmarks" / "capture.json"


@pytest.fixture
def result():
    return json.loads(RESULT.read_text())


def row(result, part, method, tokens):
    return next(r for r in result[part] if (r["method"], r["tokens"]) == (method, tokens))


def test_what_was_measured_on_the_first_processor_keeps_all_limits(result) -> None:
    assert exceeded(result) == []


@pytest.mark.parametrize(("method", "tokens"), TIME)
def test_a_slower_pass_exceeds_its_limit(result, method, tokens) -> None:
    row(result, "times", method, tokens)["ratio"][0] = TIME[method, tokens] + 0.001
    (said,) = exceeded(result)
    assert said.startswith(f"{method} at {tokens} tokens takes")
    result["times"].remove(row(result, "times", method, tokens))
    with pytest.raises(ValueError, match=f"'{method}' was not timed at {tokens} tokens"):
        exceeded(result)


def test_the_page_says_what_is_slower_than_wanted(result) -> None:
    for run in (result, *result["elsewhere"]):
        one = row(run, "times", "fused, torch and numpy", 2048)
        one["ratio"][0] = 1.8
    assert "More than is wanted" not in page(result)
    row(result, "times", "fused, torch and numpy", 2048)["ratio"][0] = 1.801
    assert (
        "More than is wanted: fused, torch and numpy at 2048 tokens takes 1.801 times as long, "
        "not 1.8."
    ) in page(result)


@pytest.mark.parametrize(("part", "tokens"), [("memory", 8192), ("peaks", 2048)])
def test_a_larger_peak_exceeds_its_limit(result, part, tokens) -> None:
    row(result, part, "fused, C", tokens)["peak_ratio"] = 1.151
    said = f"fused, C at {tokens} tokens needs 1.151 times the memory, not 1.15"
    assert exceeded(result) == [said]
    result[part].remove(row(result, part, "fused, C", tokens))
    with pytest.raises(ValueError, match=r"memory of 'fused, C' was not measured at"):
        exceeded(result)


@pytest.mark.parametrize("method", FUSED)
def test_layers_that_keep_more_exceed_the_limit_of_memory(result, method) -> None:
    row(result, "deep", method, 2048)["peak_ratio"] = 1.151
    said = f"{method} at 2048 tokens needs 1.151 times the memory, not 1.15"
    assert exceeded(result) == [said]
    row(result, "deep", method, 2048)["layers"] = 2
    with pytest.raises(ValueError, match=f"memory of '{method}' was not measured at 12 layers"):
        exceeded(result)


def test_memory_that_grows_faster_than_the_text_exceeds_its_limit(result) -> None:
    for one in result["memory"]:
        if one["method"] == "fused, C":
            one["peak_mb"] = one["tokens"] ** 1.11
    assert exponents(result["memory"])["fused, C"] == pytest.approx(1.11)
    assert exceeded(result) == ["memory of fused, C grows with exponent 1.11, not 1.1"]
    result["memory"] = [r for r in result["memory"] if r["tokens"] != 16384]
    with pytest.raises(ValueError, match="'fused, C' was not measured at 4 lengths"):
        exceeded(result)


def test_methods_must_measure_the_same_and_all_of_it() -> None:
    plain = {"entropy": 2.0, "gini": 0.5, "peak_lag": 100.0}
    agree({"plain folds": plain, "eager": plain | {"entropy": 2.003}}, "plain folds")
    less = {"entropy": 2.0, "gini": 0.5}
    with pytest.raises(SystemExit, match=r"fused, C and plain folds do not .* same: peak_lag"):
        agree({"plain folds": plain, "fused, C": less}, "plain folds")
    for wrong in (0.503, float("nan")):
        with pytest.raises(SystemExit, match="fused, C: gini is"):
            agree({"plain folds": plain, "fused, C": plain | {"gini": wrong}}, "plain folds")


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
def test_engines_and_plain_folds_agree_and_others_have_the_same_metrics(tmp_path) -> None:
    save(tmp_path, layers=1, length=64)
    ours = {method: prepare(method, tmp_path, 1, 64)() for method in (*FUSED, FOLDS)}
    agree(ours, FOLDS)
    # Of few tokens, some rows have next to nothing beside the sink: others keep these.
    for method in EAGER[1:]:
        assert prepare(method, tmp_path, 1, 64)().keys() == ours[FOLDS].keys()
    measured = dict(ours)
    measured[FUSED[0]] = measured[FUSED[0]] | {"peak_lag": 60.0}
    with pytest.raises(SystemExit, match="fused, C: peak_lag is 60"):
        agree(measured, FOLDS)


def test_times_of_a_processor_replace_its_own_and_no_others() -> None:
    def run(name: str, seconds: float) -> dict:
        return {"machine": {"processor": name}, "times": [seconds]}

    result = {"memory": [], **run("A", 1.0), "elsewhere": [run("B", 2.0)]}
    place(result, run("C", 3.0))
    assert result["elsewhere"] == [run("B", 2.0), run("C", 3.0)]
    place(result, run("B", 4.0))
    place(result, run("A", 5.0))
    assert result == {"memory": [], **run("A", 5.0), "elsewhere": [run("B", 4.0), run("C", 3.0)]}
    empty: dict = {}
    place(empty, run("A", 1.0))
    assert empty == {**run("A", 1.0), "elsewhere": []}
