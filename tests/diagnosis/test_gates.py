"""Gates answer only what an interval shows, and only with enough seeds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.diagnosis.gates import (
    ON_MARGIN,
    gate,
    margin_gate,
    number_of_seeds,
    seeds_needed,
    use_gate,
)
from attnpipe.diagnosis.schema import Evidence
from attnpipe.stats.confidence import CONFIDENCE, TOST_CONFIDENCE
from attnpipe.stats.estimate import mean_over_seeds
from attnpipe.stats.seeds_needed import seeds_needed as of_values
from attnpipe.stats.seeds_needed import seeds_needed_by_interval as of_interval

REAL = st.floats(-1, 1).map(lambda x: round(x, 4))
HALF = st.floats(1e-4, 0.5).map(lambda x: round(x, 4))


def evidence(estimate: float, half: float, n: int, *, tost: bool = True) -> Evidence:
    facts = {"lo90": estimate - 0.8 * half, "hi90": estimate + 0.8 * half} if tost else {}
    return Evidence(
        id="x", table="t.csv", row={}, estimate=estimate, lo95=estimate - half,
        hi95=estimate + half, n_seeds=n, facts=facts,
    )  # fmt: skip


@settings(deadline=None, derandomize=True, max_examples=300)
@given(REAL, HALF, st.integers(1, 12), st.sampled_from([0.01, 0.02, 0.05]))
def test_margin_gate_says_only_what_the_interval_shows(
    estimate: float, half: float, n: int, margin: float
) -> None:
    found = evidence(estimate, half, n)
    status = margin_gate(found, margin)
    shown = {
        "YES": estimate - half > margin,
        "HARM": estimate + half < -margin,
        "NO": max(abs(estimate - 0.8 * half), abs(estimate + 0.8 * half)) < margin,
    }
    if n < 3:
        assert status == "DESCRIPTIVE"
    elif n >= 5:
        assert status == next((s for s, true in shown.items() if true), "INCONCLUSIVE")
    else:
        assert status == "INCONCLUSIVE" or shown[status]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(REAL, HALF, st.integers(3, 12), st.sampled_from([0.01, 0.02, 0.05]))
def test_margin_gate_is_symmetric(estimate: float, half: float, n: int, margin: float) -> None:
    mirrored = {"YES": "HARM", "HARM": "YES"}
    status = margin_gate(evidence(estimate, half, n), margin)
    assert margin_gate(evidence(-estimate, half, n), margin) == mirrored.get(status, status)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(REAL, HALF, st.integers(5, 12), REAL)
def test_gate_answers_yes_above_no_below_and_nothing_between(
    estimate: float, half: float, n: int, threshold: float
) -> None:
    status = gate(evidence(estimate, half, n), threshold)
    if estimate - half > threshold:
        assert status == "YES"
    elif estimate + half < threshold:
        assert status == "NO"
    else:
        assert status == "INCONCLUSIVE"


def test_four_seeds_decide_only_what_is_huge() -> None:
    assert gate(evidence(0.30, 0.10, 5), 0.0) == "YES"
    assert gate(evidence(0.29, 0.10, 4), 0.0) == "INCONCLUSIVE"
    assert gate(evidence(0.31, 0.10, 4), 0.0) == "YES"


@pytest.mark.parametrize(
    ("estimate", "half", "n", "times", "margin", "status"),
    [
        # Loss .05 of a skill of 1: the margin of .02 makes it 1.4 times as large.
        (2.0, 2.5, 5, 1.41, 0.02, "YES"),
        (2.0, 2.5, 5, 1.39, 0.02, "INCONCLUSIVE"),
        (2.0, 2.5, 5, 1.41, 0.05, "INCONCLUSIVE"),  # twice
        (2.0, 2.5, 5, 2.01, 0.05, "YES"),
        (2.0, 2.5, 4, 9.0, 0.02, "INCONCLUSIVE"),  # too few seeds
        (2.0, 2.5, 2, 9.0, 0.02, "DESCRIPTIVE"),
        (0.0, 0.01, 5, 9.0, 0.02, "NO"),  # the difference settles it
        (2.0, 2.5, 5, None, 0.02, "INCONCLUSIVE"),  # a loss of 0 has no logarithm
    ],
)
def test_the_ratio_of_losses_may_show_what_their_difference_leaves_open(
    estimate: float, half: float, n: int, times: float | None, margin: float, status: str
) -> None:
    found = evidence(estimate, half, n)
    low = None if times is None else math.log(times)
    ratio = {"log_of_means_lo95": low, "log_of_means_margin": math.log(1.4), "margin": 0.02}
    found = found.model_copy(update={"facts": found.facts | ratio})
    assert use_gate(found, margin) == status
    assert gate(found, margin) in (status, "INCONCLUSIVE")


def test_without_a_90_percent_interval_equivalence_needs_the_wider_one_inside() -> None:
    assert margin_gate(evidence(0.0, 0.024, 5), 0.02) == "NO"
    assert margin_gate(evidence(0.0, 0.024, 5, tost=False), 0.02) == "INCONCLUSIVE"


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 10_000), st.integers(3, 8), st.sampled_from([0.0, 0.5]))
def test_as_many_seeds_are_asked_for_as_their_own_values_need(
    seed: int, n: int, centre: float
) -> None:
    """As `stats.seeds_needed` says of the values: inside ±1 it is the 90 % interval that counts."""
    rng = np.random.default_rng(seed)
    x = centre + rng.uniform(0.6, 1.6) * rng.normal(size=n)
    mean = mean_over_seeds(x)
    (lo95, hi95), (lo90, hi90) = mean.interval(), mean.interval(TOST_CONFIDENCE)
    found = Evidence(
        id="x", table="t.csv", row={}, estimate=mean.value, lo95=lo95, hi95=hi95, n_seeds=n,
        facts={"lo90": lo90, "hi90": hi90},
    )  # fmt: skip
    level = TOST_CONFIDENCE if abs(mean.value) < 1 else CONFIDENCE
    wanted = of_values(x, -1.0, 1.0, confidence=level).seeds
    asked = number_of_seeds(found, -1.0, 1.0)
    assert asked == (None if wanted is None else max(wanted, n + 1, 5))


def test_seeds_needed_are_said_where_they_can_be_told() -> None:
    # s = .04 √5 / t(4) = .0322; t(12) s/√13 = .0195 ≤ .02.
    assert seeds_needed(evidence(0.04, 0.04, 5), 0.02, -0.02)[0].startswith("about 13 seeds")
    assert "margin" in seeds_needed(evidence(0.0200001, 0.04, 5), 0.02)[0]
    assert seeds_needed(evidence(0.02, 0.04, 5), 0.02) == [f"more seeds: {ON_MARGIN}"]
    of_units = evidence(0.02, 0.04, 5).model_copy(update={"n_units": 40})
    assert seeds_needed(of_units, 0.02) == [f"more seeds and test data: {ON_MARGIN}"]
    assert number_of_seeds(evidence(0.04, 0.04, 1), 0.02) is None


def test_of_a_lopsided_interval_the_side_of_the_threshold_counts() -> None:
    def lopsided(low: float, high: float) -> Evidence:
        return Evidence(
            id="x", table="t.csv", row={}, estimate=0.04, lo95=low, hi95=high, n_seeds=5, facts={}
        )

    long, short = (
        number_of_seeds(lopsided(-0.04, 0.06), 0.02),
        number_of_seeds(lopsided(0.0, 0.08), 0.02),
    )
    assert long is not None
    assert short is not None
    assert long == number_of_seeds(lopsided(-0.04, 0.12), 0.02)
    assert long > short == number_of_seeds(evidence(0.04, 0.04, 5), 0.02)
    # cut at 0, where the measure ends: what lies above the estimate tells of the spread
    assert number_of_seeds(lopsided(0.03, 0.1), 0.07) == number_of_seeds(lopsided(-0.02, 0.1), 0.07)


@pytest.mark.parametrize(("low", "high"), [(-0.028, 0.017), (-0.017, 0.028)])
def test_to_be_inside_two_margins_a_lopsided_interval_must_leave_out_both(
    low: float, high: float
) -> None:
    value = 0.003 if high < 0.02 else -0.003
    found = Evidence(
        id="x", table="t.csv", row={}, estimate=value, lo95=2 * low, hi95=2 * high, n_seeds=5,
        facts={"lo90": low, "hi90": high},
    )  # fmt: skip
    sides = [
        of_interval(value, half, 5, at, confidence=TOST_CONFIDENCE).seeds
        for half, at in ((high - value, 0.02), (value - low, -0.02))
    ]
    assert number_of_seeds(found, 0.02, -0.02) == max(n for n in sides if n is not None) > 6
