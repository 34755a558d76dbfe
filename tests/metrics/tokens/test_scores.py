"""Planted heads score 1, chance is counted by hand, targets obey the support."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.tokens.cases import batch, make_items, make_support, one, texts_of

from attnpipe.metrics.tokens.scores import SCORES, HeadScores
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec()


def scores(weights, ids=None, support=None):
    """(value, chance, rows) of each score of the first head."""
    block, texts = one(weights, support, ids)
    fold = HeadScores(OPTIONS, texts)
    fold.update(block)
    found = {name: fold.score(name) for name in SCORES}
    return {
        name: (float(s.value[0, 0]), float(s.chance[0, 0]), int(s.rows[0, 0]))
        for name, s in found.items()
    }


def looking_at(keys, length):
    """One-hot rows: query q looks at ``keys[q]``."""
    weights = np.zeros((length, length))
    weights[np.arange(length), keys] = 1.0
    return weights


CAUSAL = make_support("causal", 6)


def test_a_previous_token_head():
    weights = looking_at([0, 0, 1, 2, 3, 4], 6)
    found = scores(weights, support=CAUSAL)
    assert found["previous_token"] == (1.0, pytest.approx(np.mean([1 / n for n in range(2, 7)])), 5)
    assert found["diagonal"] == (pytest.approx(1 / 6), pytest.approx(2.45 / 6), 6)
    assert found["next_token"] == (pytest.approx(np.nan, nan_ok=True),) * 2 + (0,)


def test_a_next_token_head_of_an_encoder():
    weights = looking_at([1, 2, 3, 4, 5, 5], 6)
    found = scores(weights, support=np.ones((6, 6), bool))
    assert found["next_token"] == (1.0, pytest.approx(1 / 6), 5)
    assert found["previous_token"] == (0.0, pytest.approx(1 / 6), 5)
    assert found["diagonal"] == (pytest.approx(1 / 6), pytest.approx(1 / 6), 6)


def test_an_induction_head_on_repeated_random_tokens():
    period, ids = 20, np.random.default_rng(3).permutation(50)[:20]
    length = 2 * period
    keys = [0] * period + [q - period + 1 for q in range(period, length)]
    found = scores(looking_at(keys, length), np.tile(ids, 2), make_support("causal", length))
    chance = np.mean([1 / (q + 1) for q in range(period, length)])
    assert found["induction"] == (1.0, pytest.approx(chance), period)
    # The token that is looked at is a neighbour of the earlier occurrence, not it. Only the
    # last token of the period is followed by the first of the next, which it sees.
    assert found["duplicate_token"] == (0.0, pytest.approx(chance), period)


def test_a_duplicate_token_head():
    ids = [5, 6, 5, 6, 5]
    weights = looking_at([0, 1, 0, 1, 2], 5)
    weights[4] = [0.5, 0, 0.25, 0.25, 0]
    found = scores(weights, ids, make_support("causal", 5))
    value = np.mean([1, 1, 0.75])
    assert found["duplicate_token"] == (
        pytest.approx(value), pytest.approx(np.mean([1 / 3, 1 / 4, 2 / 5])), 3,
    )  # fmt: skip


def test_induction_targets_by_hand():
    # a a b a: query 1 follows a at 0 → target 1 itself; query 3 is a, after a stand 1 and 2.
    found = scores(np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None], [7, 7, 8, 7])
    assert found["induction"] == (
        pytest.approx((1 / 2 + 2 / 4) / 2), pytest.approx((1 / 2 + 2 / 4) / 2), 2,
    )  # fmt: skip


def test_targets_off_the_support_do_not_count():
    # Window of 2: the earlier occurrence is out of sight.
    support = np.tril(np.ones((4, 4), bool)) & ~np.tril(np.ones((4, 4), bool), -2)
    weights = support / support.sum(axis=1, keepdims=True)
    found = scores(weights, [1, 2, 1, 2], support)
    assert found["duplicate_token"][2] == 0
    assert np.isnan(found["duplicate_token"][0])
    assert np.isnan(found["duplicate_token"][1])
    assert found["induction"] == (pytest.approx(0.5), pytest.approx(0.5), 2)


def test_rows_with_a_single_key_are_at_chance():
    found = scores(np.eye(3))
    assert found["diagonal"] == (1.0, 1.0, 3)
    assert found["previous_token"][2] == 0


@given(
    kind=st.sampled_from(["causal", "full", "window"]),
    sharpness=st.sampled_from([0.1, 3.0, 100.0]),
    vocabulary=st.integers(1, 4),
    seed=st.integers(0, 999),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_scores_are_masses(kind, sharpness, vocabulary, seed):
    items = make_items(kind, sharpness=sharpness, vocabulary=vocabulary, seed=seed)
    fold = HeadScores(OPTIONS, texts_of(items))
    fold.update(batch(items))
    for name in SCORES:
        score = fold.score(name)
        known = score.rows > 0
        assert (np.isnan(score.value) == ~known).all()
        assert (np.isnan(score.chance) == ~known).all()
        assert ((score.value[known] >= 0) & (score.value[known] <= 1 + 1e-12)).all()
        assert ((score.chance[known] > 0) & (score.chance[known] <= 1)).all()
    if kind != "full":  # no row sees the token after it
        assert not fold.score("next_token").rows.any()


def test_renaming_tokens_changes_nothing():
    rng = np.random.default_rng(0)
    ids, weights = rng.integers(0, 3, 8), np.exp(rng.standard_normal((8, 8)))
    weights /= weights.sum(axis=1, keepdims=True)
    renamed = np.array([700, 0, 13])[ids]
    assert scores(weights, ids) == scores(weights, renamed)
