"""Error rates of a gate where the truth is set: the mean effect in units of δ, the seeds' spread.

Seeds are drawn around a known mean; units carry what is left of a real effect (the loss of
skill of equal weights on `recall`, seed by seed and window by window, from
`tests.calibration.train`), scaled to a quarter of δ.
"""

from pathlib import Path

import numpy as np
import pytest

from attnpipe.diagnosis.gates import margin_gate
from attnpipe.diagnosis.schema import Evidence
from attnpipe.io.tensors import read_tensors
from attnpipe.stats.equivalence import TOST_CONFIDENCE
from attnpipe.stats.two_way import two_way_mean

DELTA, GROUPS = 0.02, 2_000
STORED = Path(__file__).parent / "effect.safetensors"


@pytest.fixture(scope="module")
def residuals() -> np.ndarray:
    """Effects of seeds and windows less the means of both, and the windows' own part."""
    effect = read_tensors(STORED, sealed=False)[0]["effect"].astype(np.float64)
    rest = effect - effect.mean(1, keepdims=True)
    return rest / rest.mean(0).std(ddof=1) * np.sqrt(rest.shape[1]) * DELTA / 4


def answers(residuals: np.ndarray, mean: float, sd: float, n: int) -> dict[str, float]:
    """Return the share of each answer of the gate over many groups of n seeds."""
    rng = np.random.default_rng([int(1000 * mean), int(1000 * sd), n])
    count: dict[str, int] = {}
    for _ in range(GROUPS):
        seeds = rng.choice(len(residuals), n, replace=False)
        units = rng.integers(0, residuals.shape[1], residuals.shape[1])
        drawn = rng.normal(mean * DELTA, sd * DELTA, n)
        found = two_way_mean(drawn[:, None] + residuals[seeds][:, units])
        (lo, hi), (lo90, hi90) = found.interval(), found.interval(TOST_CONFIDENCE)
        evidence = Evidence(
            id="x", table="x", row={}, estimate=found.value, lo95=lo, hi95=hi, n_seeds=n,
            facts={"lo90": lo90, "hi90": hi90},
        )  # fmt: skip
        status = margin_gate(evidence, DELTA)
        count[status] = count.get(status, 0) + 1
    return {status: k / GROUPS for status, k in count.items()}


SDS, SIZES = (0.25, 0.5, 1.0, 2.0), (3, 5, 10)
SLACK = 3 * np.sqrt(0.025 * 0.975 / GROUPS)
"""Three standard errors of a share of 2.5 % in so many groups."""


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("sd", SDS)
def test_a_benefit_of_exactly_delta_is_rarely_called_one(residuals, sd: float, n: int) -> None:
    assert answers(residuals, 1.0, sd, n).get("YES", 0.0) <= 0.025 + SLACK


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("sd", SDS)
def test_no_effect_is_never_called_a_benefit_and_twice_delta_never_nothing(
    residuals, sd: float, n: int
) -> None:
    assert answers(residuals, 0.0, sd, n).get("YES", 0.0) <= 0.025 + SLACK
    assert answers(residuals, 2.0, sd, n).get("NO", 0.0) <= 0.025 + SLACK


def test_clear_effects_are_seen(residuals) -> None:
    """Not always: windows alone blur the mean by a quarter of δ, and each seed's own more."""
    assert answers(residuals, 0.0, 0.25, 5)["NO"] > 0.65
    assert answers(residuals, 2.0, 0.25, 5)["YES"] > 0.65
    assert answers(residuals, 2.0, 0.5, 10)["YES"] > 0.75
