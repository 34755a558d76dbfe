from itertools import permutations

import numpy as np
import pytest

from attnpipe.stats import rows as module
from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.stats.matching import match_heads
from attnpipe.stats.rotation import rotated_likeness
from attnpipe.stats.rows import row_similarity

ALL = np.ones((1, 1, 12), dtype=bool)
A, B = np.arange(0, 20), np.arange(20, 40)
CAUSAL = np.tril(np.ones((6, 6), dtype=bool))[None]


def softmax(logits, support=True):
    raised = np.where(support, np.exp(logits), 0.0)
    total = raised.sum(axis=-1, keepdims=True)
    return (raised / np.where(total > 0, total, 1.0)).astype(np.float32)


def shuffled_heads(rng, seeds=3, heads=4, noise=0.5, keys=12):
    """The same heads in each seed, in different orders."""
    pattern = 2 * rng.normal(size=(heads, 1, 1, keys))
    orders = [rng.permutation(heads) for _ in range(seeds)]
    weights = [
        softmax(pattern[order] + noise * rng.normal(size=(heads, 40, 1, keys))) for order in orders
    ]
    return weights, orders


def test_partners_are_the_same_heads_whatever_their_order():
    weights, orders = shuffled_heads(np.random.default_rng(0))
    found = match_heads(weights, ALL, A, B, draws=19)
    for i in range(3):
        for j in range(3):
            if i != j:
                assert orders[j][found.partner[i, j]].tolist() == orders[i].tolist()
    assert found.likeness.value > 0.8
    off = np.triu_indices(3, 1)
    assert found.by_index[off].mean() < 0.6
    assert found.by_head[0, 1].mean() == pytest.approx(found.matched[0, 1])
    assert found.matched[0, 1] == found.matched[1, 0]
    assert np.isnan(np.diag(found.matched)).all()
    assert found.against.p == pytest.approx(1 / 20)
    assert found.against.above
    assert found.likeness == pairwise_mean(found.matched)
    assert found.likeness.df == 2


def test_assignment_is_the_best_of_all_on_half_a_and_the_score_is_of_half_b():
    rng = np.random.default_rng(1)
    weights = [softmax(rng.normal(size=(4, 40, 1, 12))) for _ in range(2)]
    # Half A and half B disagree: what is best on A must be scored by B.
    found = match_heads(weights, ALL, A, B, draws=1)
    flat = [head for heads in weights for head in heads]
    a, b = (row_similarity([h[half] for h in flat], ALL).centred[:4, 4:] for half in (A, B))
    best = max(permutations(range(4)), key=lambda to: sum(a[h, g] for h, g in enumerate(to)))
    assert found.partner[0, 1].tolist() == list(best)
    assert found.by_head[0, 1] == pytest.approx([b[h, g] for h, g in enumerate(best)])
    assert found.by_index[0, 1] == pytest.approx(np.diag(b).mean())


def test_permuting_heads_of_a_seed_changes_no_matched_score():
    rng = np.random.default_rng(2)
    weights, _ = shuffled_heads(rng, noise=1.5)
    one = match_heads(weights, ALL, A, B, draws=1)
    other = match_heads([weights[0][[2, 0, 3, 1]], *weights[1:]], ALL, A, B, draws=1)
    assert np.allclose(one.matched, other.matched, equal_nan=True)
    assert not np.allclose(one.by_index, other.by_index, equal_nan=True)


def test_heads_without_a_pattern_are_left_for_each_other_and_do_not_count():
    rng = np.random.default_rng(3)
    weights, _ = shuffled_heads(rng, seeds=2)
    flat = [np.full((1, 40, 1, 12), 1 / 12, dtype=np.float32)]
    with_flat = [np.concatenate([flat[0], weights[0]]), np.concatenate([weights[1], flat[0]])]
    found = match_heads(with_flat, ALL, A, B, draws=1)
    assert found.partner[0, 1, 0] == 4
    assert np.isnan(found.by_head[0, 1, 0])
    plain = match_heads(weights, ALL, A, B, draws=1)
    assert found.matched[0, 1] == pytest.approx(plain.matched[0, 1])


def test_nothing_to_compare_is_unknown():
    flat = np.full((2, 40, 1, 12), 1 / 12, dtype=np.float32)
    found = match_heads([flat, flat], ALL, A, B, draws=3)
    assert np.isnan(found.likeness.value)
    assert np.isnan(found.against.p)
    assert np.isnan(found.against.excess)
    assert not found.against.above
    alone = match_heads([flat], ALL, A, B, draws=3)
    assert np.isnan(alone.likeness.value)


def test_rotations_are_repeatable_and_differ_by_seed():
    weights, _ = shuffled_heads(np.random.default_rng(4))
    one, same, other = (match_heads(weights, ALL, A, B, 9, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.null, same.null)
    assert not np.array_equal(one.null, other.null)


def test_halves_and_heads_must_fit():
    weights, _ = shuffled_heads(np.random.default_rng(5), seeds=2)
    with pytest.raises(ValueError, match="overlap"):
        match_heads(weights, ALL, A, A)
    with pytest.raises(ValueError, match=r"numbers of heads: \[3, 4\]"):
        match_heads([weights[0], weights[1][:3]], ALL, A, B)


def test_support_may_differ_by_sample():
    rng = np.random.default_rng(6)
    support = rng.random((40, 2, 8)) < 0.8
    weights = [softmax(rng.normal(size=(2, 40, 2, 8)), support) for _ in range(2)]
    found = match_heads(weights, support, A, B, draws=1)
    flat = [head[B] for heads in weights for head in heads]
    b = row_similarity(flat, support[B]).centred
    to = found.partner[0, 1]
    assert found.by_head[0, 1] == pytest.approx([b[h, 2 + to[h]] for h in range(2)])


@pytest.mark.parametrize("support", [np.ones((1, 1, 6), dtype=bool), CAUSAL], ids=["all", "causal"])
def test_rotation_by_hand(support):
    rng = np.random.default_rng(7)
    heads = [softmax(rng.normal(size=(5, 6, 6)), support) for _ in range(2)]
    found = rotated_likeness(heads, support, 6)
    seen = np.broadcast_to(support, heads[0].shape)
    assert found[0] == pytest.approx(row_similarity(heads, support).centred)
    for phase in range(6):
        turned = heads[1].copy()
        for s in range(5):
            for q in range(6):
                keys = np.flatnonzero(seen[s, q])
                shift = int(phase * len(keys) / 6 + 0.5)
                turned[s, q, keys] = np.roll(heads[1][s, q, keys], shift)
        expected = row_similarity([heads[0], turned], support).centred[0, 1]
        assert found[phase, 0, 1] == pytest.approx(expected, abs=1e-6)


def test_chunks_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(8)
    heads = [softmax(rng.normal(size=(9, 6, 6)), CAUSAL) for _ in range(3)]
    whole = rotated_likeness(heads, CAUSAL, 4)
    monkeypatch.setattr(module, "CHUNK_VALUES", 1)
    assert np.allclose(whole, rotated_likeness(heads, CAUSAL, 4), atol=1e-12)
