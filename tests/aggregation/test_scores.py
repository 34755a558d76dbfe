"""Linear contributions are the derivatives they claim to be, and their intervals cover."""

import numpy as np
import polars as pl
import pytest

from attnpipe.aggregation.losses import ModelLosses, SharedSplit
from attnpipe.aggregation.scores import GAINS, skill
from attnpipe.stats.two_way import two_way_mean

SEEDS, UNITS = 4, 6


def losses(rng, level):
    mse = level * rng.uniform(0.5, 1.5, (SEEDS, UNITS))
    return ModelLosses(
        np.arange(SEEDS), mse, np.sqrt(mse) * 0.8, rng.uniform(0.2, 0.9, (SEEDS, UNITS))
    )


@pytest.fixture
def case():
    rng = np.random.default_rng(1)
    split = SharedSplit(
        units=pl.Series([f"u{i}" for i in range(UNITS)]),
        items=np.array([3, 8, 5, 1, 9, 4]),
        trivial=rng.uniform(2, 4, UNITS),
        variance=rng.uniform(2, 3, UNITS),
        own_variance=rng.uniform(1, 2, UNITS),
    )
    return losses(rng, 0.8), losses(rng, 1.2), split


def functional(name, ours, base, split, seed_weights, shares):
    """The score itself, for any weights of seeds and units."""

    def pooled(x):
        return seed_weights @ x @ shares

    trivial, variance = split.trivial @ shares, split.variance @ shares
    gain = pooled(base.mse) - pooled(ours.mse)
    return {
        "mse": gain,
        "rmse": seed_weights @ (np.sqrt(base.mse @ shares) - np.sqrt(ours.mse @ shares)),
        "mae": pooled(base.mae) - pooled(ours.mae),
        "r2": gain / variance,
        "accuracy": pooled(ours.accuracy) - pooled(base.accuracy),
        "skill_units": gain / (trivial - pooled(ours.mse)),
        "skill": 1 - pooled(ours.mse) / trivial,
    }[name]


@pytest.mark.parametrize("name", [*GAINS, "skill"])
def test_contributions_are_exact_in_the_mean_and_in_first_order(case, name):
    ours, base, split = case
    z = skill(ours, split) if name == "skill" else GAINS[name](ours, base, split)
    equal, shares = np.full(SEEDS, 1 / SEEDS), split.shares
    value = functional(name, ours, base, split, equal, shares)
    assert equal @ z @ shares == pytest.approx(value)

    step = 1e-6
    for unit in range(UNITS):
        moved = (1 - step) * shares + step * np.eye(UNITS)[unit]
        slope = (functional(name, ours, base, split, equal, moved) - value) / step
        assert slope == pytest.approx(z[:, unit].mean() - value, abs=2e-5)
    for seed in range(SEEDS):
        moved = (1 - step) * equal + step * np.eye(SEEDS)[seed]
        slope = (functional(name, ours, base, split, moved, shares) - value) / step
        assert slope == pytest.approx(z[seed] @ shares - value, abs=2e-5)


def test_skill_interval_covers_the_skill_of_the_population():
    # Units differ in difficulty, which trivial and model share; seeds differ in quality.
    rng = np.random.default_rng(3)
    units, seeds, repetitions = 30, 5, 700
    covered = 0
    for _ in range(repetitions):
        difficulty = rng.gamma(4, 0.25, units)
        quality = 0.7 + 0.05 * rng.normal(size=(seeds, 1))
        mse = difficulty * (quality + 0.1 * rng.normal(size=(seeds, units)))
        split = SharedSplit(
            units=pl.Series([str(i) for i in range(units)]),
            items=np.full(units, 10),
            trivial=difficulty,
            variance=difficulty,
            own_variance=difficulty,
        )
        model = ModelLosses(np.arange(seeds), mse, mse, mse)
        lo, hi = two_way_mean(skill(model, split), split.shares).interval(0.95)
        covered += lo <= 0.3 <= hi
    assert 0.92 <= covered / repetitions <= 0.985
