"""What intervals cover and how often tests err, by simulation.

Run as ``python benchmarks/coverage.py > docs/statistics.md`` (a few minutes).
`tests/stats/test_coverage.py` holds the figures to their limits.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from benchmarks import coverage_ratios
from benchmarks.coverage_common import UNITS, Draw, Quantity, covers, crossed
from benchmarks.coverage_matching import LOGITS, MATCHING, MATCHING_AGAIN, Case, matching_row
from benchmarks.coverage_random import RANDOM, RANDOM_AGAIN, random_row
from scipy.special import stdtr
from scipy.stats import binom

from attnpipe.stats.confidence import CONFIDENCE, TOST_CONFIDENCE
from attnpipe.stats.equivalence import equivalence
from attnpipe.stats.estimate import mean_over_seeds
from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.stats.log_of_means import log_of_means
from attnpipe.stats.log_ratio import log_ratio
from attnpipe.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm
from attnpipe.stats.paired import paired_differences, sign_flip_p
from attnpipe.stats.two_way import two_way_mean
from attnpipe.stats.wilson import wilson_interval

LOGNORMAL_SD = np.sqrt((np.e - 1) * np.e)
DRAWS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3),
    "skewed": lambda rng, shape: (np.exp(rng.standard_normal(shape)) - np.e**0.5) / LOGNORMAL_SD,
}
"""All of mean 0 and variance 1: normal, t with 3 degrees of freedom, lognormal with σ = 1."""
REPETITIONS = 4000
TESTS, FALSE = 20, 15
"""Tests adjusted together, and how many of them have nothing to find."""


def _t(confidence: float) -> Quantity:
    def rate(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
        return covers([mean_over_seeds(x) for x in draw(rng, (times, n))], 0.0, confidence)

    return Quantity(confidence, rate)


def _paired(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Cover a difference of two sides that share their seed, whose effect cancels."""
    shared, own = 3 * draw(rng, (times, n)), draw(rng, (2, times, n))
    found = paired_differences((shared + own[0]) - (shared + own[1]))
    return float(np.mean((found.lo95 <= 0) & (found.hi95 >= 0)))


def _two_way(confidence: float) -> Quantity:
    def rate(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
        tables = crossed(rng, draw, n, times)
        return covers([two_way_mean(x) for x in tables], 0.0, confidence)

    return Quantity(confidence, rate)


def _log_ratio(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Cover a ratio of 1.5 whose logarithms have the named distribution."""
    b = np.exp(rng.standard_normal((times, n, UNITS)))
    a = 1.5 * b * np.exp(crossed(rng, draw, n, times))
    ends = np.array([log_ratio(*losses).interval() for losses in zip(a, b, strict=True)])
    return float(np.mean((ends[:, 0] <= 1.5) & (ends[:, 1] >= 1.5)))


def _log_of_means(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Cover a ratio of mean losses whose logarithm over seeds has the named distribution."""
    b = np.exp(rng.standard_normal((times, n, UNITS)))
    own, shared = rng.uniform(0.5, 1.5, b.shape), rng.uniform(0.5, 1.5, (times, 1, UNITS))
    a = 1.5 * np.exp(draw(rng, (times, n, 1))) * b * own * shared
    found = [log_of_means(*losses) for losses in zip(a, b, strict=True)]
    return covers(found, float(np.log(1.5)), CONFIDENCE)


def _jackknife(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Cover the mean cosine of noisy copies of a pattern, some noisier than others."""
    noise = np.exp(0.4 * rng.standard_normal((times, n, 1)))
    x = np.sin(np.arange(50) / 4) + noise * draw(rng, (times, n, 50))
    x -= x.mean(axis=-1, keepdims=True)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    pairs = x @ x.transpose(0, 2, 1)
    i, j = np.triu_indices(n, 1)
    truth = pairs[:, i, j].mean()
    return covers([pairwise_mean(matrix) for matrix in pairs], truth, CONFIDENCE)


def _sign_flip(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
    """Reject at .05, or at the smallest p where that is larger."""
    p = sign_flip_p(draw(rng, (times, n)))
    return float(np.mean(p <= max(0.05, 2.0 ** (1 - n))))


def _at_margin(answer: str) -> Callable[[np.random.Generator, Draw, int, int], float]:
    """Return the share of an answer where the difference is the margin, the worse of two sides."""

    def rate(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
        x = 0.25 * draw(rng, (times, n))
        said = [
            np.mean([equivalence(mean_over_seeds(row), 1.0) == answer for row in x + side])
            for side in (-1.0, 1.0)
        ]
        return float(max(said))

    return rate


def _multiplicity(adjust: Callable[[np.ndarray], np.ndarray], *, share: bool) -> Quantity:
    """Return false rejections at .05: their share among all, or whether there is any."""

    def rate(rng: np.random.Generator, draw: Draw, n: int, times: int) -> float:
        common, own = draw(rng, (times, 1, n)), draw(rng, (times, TESTS, n))
        x = np.sqrt(0.3) * common + np.sqrt(0.7) * own
        x[:, FALSE:] += 2.0
        t = x.mean(axis=-1) / (x.std(axis=-1, ddof=1) / np.sqrt(n))
        rejected = np.stack([adjust(p) for p in 2 * stdtr(n - 1, -np.abs(t))]) <= 0.05
        wrong = rejected[:, :FALSE].sum(axis=1)
        if not share:
            return float(np.mean(wrong > 0))
        return float(np.mean(wrong / np.maximum(rejected.sum(axis=1), 1)))

    return Quantity(0.05, rate)


INTERVALS: dict[str, Quantity] = {
    "mean over seeds, 95 %": _t(CONFIDENCE),
    "mean over seeds, 90 %": _t(TOST_CONFIDENCE),
    "paired difference, 95 %": Quantity(CONFIDENCE, _paired),
    "seeds × units, 95 %": _two_way(CONFIDENCE),
    "seeds × units, 90 %": _two_way(TOST_CONFIDENCE),
    "log-ratio of losses, 95 %": Quantity(CONFIDENCE, _log_ratio),
    "log-ratio of mean losses, 95 %": Quantity(CONFIDENCE, _log_of_means),
    "pairs of seeds, jackknife, 95 %": Quantity(CONFIDENCE, _jackknife),
    **coverage_ratios.INTERVALS,
}
ERRORS: dict[str, Quantity] = {
    "sign flip": Quantity(0.05, _sign_flip),
    "“equivalent” at the margin": Quantity(0.05, _at_margin("yes")),
    "“beyond” at the margin": Quantity(0.025, _at_margin("no")),
    "Holm: any false one": _multiplicity(holm, share=False),
    "Benjamini–Hochberg: share false": _multiplicity(benjamini_hochberg, share=True),
    "Benjamini–Yekutieli: share false": _multiplicity(benjamini_yekutieli, share=True),
    **coverage_ratios.ERRORS,
}


def simulate(name: str, n: int, kind: str, times: int = REPETITIONS) -> float:
    """Return a simulated share; the same call gives the same draws."""
    quantity = (INTERVALS | ERRORS)[name]
    rng = np.random.default_rng([crc32(name.encode()), n, crc32(kind.encode()), times])
    return quantity.rate(rng, DRAWS[kind], n, times)


def wilson_coverage(trials: int, share: float) -> float:
    """Return the exact coverage of Wilson's interval: no simulation is needed."""
    k = np.arange(trials + 1)
    ends = np.array([wilson_interval(int(successes), trials) for successes in k])
    return float(binom.pmf(k, trials, share)[(ends[:, 0] <= share) & (share <= ends[:, 1])].sum())


def table(quantities: dict[str, Quantity], times: int = REPETITIONS) -> Iterator[str]:
    """Yield the lines of a table, a row per quantity and number of replicates."""
    yield "| | nominal | n | " + " | ".join(DRAWS) + " |"
    yield "|---|---|---|" + "---|" * len(DRAWS)
    for name, quantity in quantities.items():
        for n in quantity.sizes:
            nominal = quantity.nominal
            if quantity.rate is _sign_flip:
                nominal = max(nominal, 2.0 ** (1 - n))
            shares = " | ".join(f"{simulate(name, n, kind, times):.3f}" for kind in DRAWS)
            yield f"| {name} | {nominal:g} | {n} | {shares} |"


def named(cases: list[Case]) -> str:
    """Return which rows these are, for a sentence; each is there with both logits."""
    of = [case for case in cases if case.logits == LOGITS[0]]
    return "; ".join(
        f"{case.seeds} × {case.heads} on {case.keys} keys, width {case.width:g}, {case.shared:.0%}"
        for case in of
    )


def main() -> None:
    """Print the page."""
    text = (Path(__file__).parent / "coverage.md").read_text()
    wilson = [
        f"| {trials} | " + " | ".join(f"{wilson_coverage(trials, p):.3f}" for p in (0.5, 0.8, 0.95))
        for trials in (5, 10, 32, 100)
    ]
    parts = {
        "intervals": "\n".join(table(INTERVALS)),
        "errors": "\n".join(table(ERRORS)),
        "wilson": " |\n".join(wilson) + " |",
        "matching": "\n".join(matching_row(case) for case in MATCHING),
        "random": "\n".join(random_row(case) for case in RANDOM),
        "matching again": named(MATCHING_AGAIN),
        "random again": named(RANDOM_AGAIN),
    }
    for key, lines in parts.items():
        text = text.replace("{" + key + "}", lines)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
