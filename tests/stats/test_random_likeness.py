"""The null of heads that look at random keys, as sharply as they do."""

import numpy as np
import pytest

from attnpipe.stats.against_null import AgainstNull
from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.stats.random_likeness import POOL, random_likeness
from attnpipe.stats.rows import row_similarity

KEYS = 20
ALL = np.ones((1, 1, KEYS), dtype=bool)


def softmax(logits):
    weights = np.exp(logits)
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def generators(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


def null_of(heads, support=ALL, seeds=None, draws=199):
    seeds = range(len(heads)) if seeds is None else seeds
    return random_likeness(heads, support, generators(*seeds), draws)


def heads(seeds, position, content, shape=(16, 2, KEYS), rng=0):
    """Heads of habits of position, the same in all samples, and of content, of given sds."""
    rng = np.random.default_rng(rng)
    own = rng.normal(size=(seeds, 1, 1, shape[-1]))
    rows = rng.normal(size=(seeds, *shape))
    return list(softmax(position * own + content * rows))


@pytest.mark.parametrize("seeds", [2, 5])
def test_its_mean_is_zero_and_its_width_that_of_random_directions(seeds):
    null = null_of(heads(seeds, 2.0, 0.5), draws=2000)
    pairs = seeds * (seeds - 1) / 2
    assert null.mean() == pytest.approx(0.0, abs=0.03)
    # A centred unit vector of n exchangeable keys has variance 1/(n − 1) in any direction.
    assert null.std() == pytest.approx(1 / np.sqrt((KEYS - 1) * pairs), rel=0.15)


def test_unrelated_habits_of_position_are_called_alike_as_rarely_as_said():
    hits = [
        AgainstNull(row_similarity(of, ALL).centred[0, 1], null_of(of)).p <= 0.05
        for of in (heads(2, 2.0, 0.3, shape=(4, 2, KEYS), rng=k) for k in range(60))
    ]
    assert 0 < np.mean(hits) < 0.12


def test_shared_habits_and_shared_content_are_above_it():
    rng = np.random.default_rng(1)
    for shape in ((1, 1, KEYS), (16, 2, KEYS)):
        common = 2 * rng.normal(size=shape)
        alike = list(softmax(common + 0.5 * rng.normal(size=(3, 16, 2, KEYS))))
        value = pairwise_mean(row_similarity(alike, ALL).centred).value
        assert AgainstNull(value, null_of(alike)).above


def test_two_keys_can_show_nothing_with_two_seeds():
    support = np.ones((1, 1, 2), dtype=bool)
    same = list(softmax(np.array([1.0, 0.0]) + np.zeros((2, 8, 1, 2))))
    assert row_similarity(same, support).centred[0, 1] == pytest.approx(1.0)
    null = null_of(same, support)
    assert set(np.round(null, 6)) == {-1.0, 1.0}
    assert not AgainstNull(1.0, null).above


def test_rows_keep_to_their_support():
    causal = np.tril(np.ones((6, 6), dtype=bool))[None]
    rng = np.random.default_rng(2)
    raised = np.where(causal, np.exp(rng.normal(size=(3, 5, 6, 6))), 0.0)
    of = list((raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32))
    spoiled = [np.where(causal, w, 9.0).astype(np.float32) for w in of]
    assert np.array_equal(null_of(of, causal), null_of(spoiled, causal))
    assert np.isfinite(null_of(of, causal)).all()


def test_the_generators_decide_and_seeds_do_not_change_each_other():
    of = heads(3, 1.0, 1.0)
    one, same, other = (null_of(of, seeds=seeds) for seeds in ((1, 2, 3), (1, 2, 3), (1, 2, 4)))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len(set(null_of(of[:2], draws=500).round(12))) > 2 * POOL


def test_uniform_heads_have_no_null():
    flat = [np.full((8, 1, KEYS), 1 / KEYS, dtype=np.float32)] * 3
    assert np.isnan(null_of(flat)).all()
