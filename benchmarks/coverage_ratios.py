"""Coverage and errors of shares of skill: ratios of two means over the same units.

Effects, answers and costs of shorter inputs alike have the interval of Fieller's theorem.
"""

from collections.abc import Callable

import numpy as np
from benchmarks.coverage_common import UNITS, Draw, Quantity, covers, crossed

from attnpipe.aggregation.text.unpaired import welch_differences
from attnpipe.diagnosis.gates import margin_gate, use_gate
from attnpipe.diagnosis.schema import Evidence, Status
from attnpipe.stats.confidence import CONFIDENCE, TOST_CONFIDENCE
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.paired_ratio import paired_ratio
from attnpipe.stats.ratio import Ratio

DELTA = 0.02
TRUTH = 0.1
QUESTIONS = (32,)
DECIDE = (5, 10)
"""Fewer than five seeds give no advice on shorter inputs."""
HALVES = (16, 32)
"""Questions of one split, on which policies are chosen."""
TRIED = 12
"""Policies and budgets whose costs are bounded at once."""
SHARES = np.arange(12.0, 12.0 + UNITS) / np.arange(12.0, 12.0 + UNITS).sum()
"""Items per unit, as shares: unequal, as in a real split."""


def _effects(
    rng: np.random.Generator, draw: Draw, n: int, times: int, truth: float, spread: float
) -> list[Estimate]:
    """Return effects in units of skill: loss added over what the model takes off the trivial."""
    model = 0.5 + 0.1 * crossed(rng, draw, n, times)
    trivial = 1.5 + 0.3 * draw(rng, (times, 1, UNITS))
    added = truth + spread * crossed(rng, draw, n, times)
    return [
        Ratio(a, t - m, SHARES).estimate() for a, t, m in zip(added, trivial, model, strict=True)
    ]


def _skill_units(confidence: float) -> Quantity:
    def rate(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
        return covers(_effects(rng, draw, n, times, TRUTH, 0.1), TRUTH, confidence)

    return Quantity(confidence, rate)


def _gates(gate: Callable[[Evidence, float], Status], answer: Status, nominal: float) -> Quantity:
    """Return how often a gate gives an answer where the true effect is the margin."""

    def rate(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
        said = [
            gate(_evidence(estimate, n), DELTA) == answer
            for estimate in _effects(rng, draw, n, times, DELTA, DELTA / 4)
        ]
        return float(np.mean(said))

    return Quantity(nominal, rate)


def _evidence(estimate: Estimate, n: int) -> Evidence:
    ends = (*estimate.interval(), *estimate.interval(TOST_CONFIDENCE))
    lo, hi, lo90, hi90 = (None if np.isnan(end) else end for end in ends)
    return Evidence(
        id="x", table="", row={}, estimate=estimate.value, lo95=lo, hi95=hi, n_seeds=n,
        facts={"lo90": lo90, "hi90": hi90},
    )  # fmt: skip


def _answers(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Cover the share of what questions tell that is lost; both vary by question."""
    common = draw(rng, (times, n))
    told = 3 + common
    lost = TRUTH * told + 0.5 * draw(rng, (times, n))
    ends = [paired_ratio(*pair).interval() for pair in zip(lost, told, strict=True)]
    lo, hi = np.array(ends).T
    return float(np.mean((lo <= TRUTH) & (hi >= TRUTH)))


def _below(cost: Estimate) -> bool:
    """Return whether `aggregation.compression.bound` lies below the truth.

    It ends where a test of the truth rejects, which is cheaper than to look for the end.
    """
    return cost.value < DELTA and cost.p_value(DELTA) < 2 * (1 - CONFIDENCE) / TRIED


def _bounds(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Return how often any of the bounds on costs of policies lies below the truth."""
    missed = np.zeros(times, dtype=bool)
    model, shared = (0.1 * crossed(rng, draw, n, times) for _ in range(2))
    skill = 1 - model
    for _ in range(TRIED):
        added = DELTA + 0.5 * shared + 0.1 * crossed(rng, draw, n, times)
        for at in range(times):
            cost = Ratio(added[at], skill[at], np.full(UNITS, 1 / UNITS)).estimate()
            missed[at] |= _below(cost)
    return float(missed.mean())


def _bounds_of_one_run(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """As `_bounds`, over questions under a pretrained model."""
    missed = np.zeros(times, dtype=bool)
    skill, shared = 3 + draw(rng, (times, 1, n)), draw(rng, (times, 1, n))
    for _ in range(TRIED):
        added = DELTA * skill + 0.2 * shared + 0.2 * draw(rng, (times, 1, n))
        for at in range(times):
            missed[at] |= _below(paired_ratio(added[at][0], skill[at][0]))
    return float(missed.mean())


def _welch(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Cover the difference of two groups: a quarter of the units, three times as spread."""
    in_a = np.broadcast_to(np.arange(n) < n // 4, (times, n))
    values = np.where(in_a, 3.0, 1.0) * draw(rng, (times, n))
    found = welch_differences(values, in_a)
    return float(np.mean((found.lo95 <= 0) & (found.hi95 >= 0)))


INTERVALS: dict[str, Quantity] = {
    "effect in skill units, 95 %": _skill_units(CONFIDENCE),
    "effect in skill units, 90 %": _skill_units(TOST_CONFIDENCE),
    "effect on answers, 95 %": Quantity(CONFIDENCE, _answers, QUESTIONS),
    "two groups (Welch), 95 %": Quantity(CONFIDENCE, _welch, (32, 100)),
}
ERRORS: dict[str, Quantity] = {
    "gate YES at the margin": _gates(use_gate, "YES", 0.025),
    "gate NO of interventions": _gates(use_gate, "NO", 0.025),
    "gate NO of arms": _gates(margin_gate, "NO", 0.05),
    "shorter inputs: any bound too low": Quantity(0.05, _bounds, DECIDE),
    "the same of one run": Quantity(0.05, _bounds_of_one_run, HALVES),
}
