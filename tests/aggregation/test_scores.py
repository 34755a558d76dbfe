"""Linear contributions are the derivatives they claim to be, and their intervals cover."""

from functools import partial

import numpy as np
import polars as pl
import pytest

from attnpipe.aggregation.losses import ModelLosses, SharedSplit
from attnpipe.aggregation.scores import GAINS, SCORES, contributions, estimate, seed_scores

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
    gain = pooled(base.loss) - pooled(ours.loss)
    return {
        "loss": gain,
        "rmse": seed_weights @ (np.sqrt(base.loss @ shares) - np.sqrt(ours.loss @ shares)),
        "mae": pooled(base.mae) - pooled(ours.mae),
        "r2": gain / variance,
        "accuracy": pooled(ours.accuracy) - pooled(base.accuracy),
        "skill_units": gain / (trivial - pooled(ours.loss)),
    }[name]


def score_functional(name, model, split, seed_weights, shares):
    """The score of one model, for any weights of seeds and units."""
    mse = seed_weights @ model.loss @ shares
    return {
        "loss": mse,
        "rmse": seed_weights @ np.sqrt(model.loss @ shares),
        "mae": seed_weights @ model.mae @ shares,
        "r2": 1 - mse / (split.variance @ shares),
        "accuracy": seed_weights @ model.accuracy @ shares,
        "skill": 1 - mse / (split.trivial @ shares),
    }[name]


@pytest.mark.parametrize("name", GAINS)
def test_contributions_to_gains_are_exact_in_the_mean_and_in_first_order(case, name):
    ours, base, split = case
    assert_contributions(
        contributions(GAINS[name](ours, base, split)),
        split,
        partial(functional, name, ours, base, split),
    )


@pytest.mark.parametrize("name", SCORES)
def test_contributions_to_scores_are_exact_in_the_mean_and_in_first_order(case, name):
    model, _, split = case
    assert_contributions(
        contributions(SCORES[name](model, split)),
        split,
        partial(score_functional, name, model, split),
    )


def test_every_score_of_seeds_has_contributions(case):
    model, _, split = case
    by_seed = seed_scores(model, split)
    assert list(by_seed) == list(SCORES)
    for name, values in by_seed.items():
        z = contributions(SCORES[name](model, split))
        assert (z @ split.shares).mean() == pytest.approx(values.mean())


def assert_contributions(z, split, score):
    equal, shares = np.full(SEEDS, 1 / SEEDS), split.shares
    value = score(equal, shares)
    assert equal @ z @ shares == pytest.approx(value)

    step = 1e-6
    for unit in range(UNITS):
        moved = (1 - step) * shares + step * np.eye(UNITS)[unit]
        slope = (score(equal, moved) - value) / step
        assert slope == pytest.approx(z[:, unit].mean() - value, abs=2e-5)
    for seed in range(SEEDS):
        moved = (1 - step) * equal + step * np.eye(SEEDS)[seed]
        slope = (score(moved, shares) - value) / step
        assert slope == pytest.approx(z[seed] @ shares - value, abs=2e-5)


@pytest.mark.parametrize(("name", "truth"), [("skill", 0.3), ("loss", 0.7), ("rmse", 0.7**0.5)])
def test_intervals_cover_the_scores_of_the_population(name, truth):
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
        lo, hi = estimate(SCORES[name](model, split), split.shares).interval(0.95)
        covered += lo <= truth <= hi
    assert 0.92 <= covered / repetitions <= 0.985
