"""The dense battery, and rollout."""

import numpy as np
import pytest
from tests.metrics.cases import as_torch, part
from tests.metrics.tokens import reference
from tests.metrics.tokens.cases import batch, make_items, make_text, one, texts_of

from attnpipe.core.errors import UserError
from attnpipe.metrics.profile import ProfileSums
from attnpipe.metrics.tokens.dense import DENSE_LIMIT, DenseBattery
from attnpipe.metrics.tokens.rollout import HeadMean, rollout
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec()


def test_long_texts_are_refused_by_name():
    texts = {0: make_text(range(3)), 4: make_text(range(DENSE_LIMIT + 1))}
    with pytest.raises(UserError, match=r"text 4 has 1025 tokens, more than dense_limit 1024"):
        DenseBattery(OPTIONS, Texts.of(texts))
    DenseBattery(OPTIONS, Texts.of({0: make_text(range(DENSE_LIMIT))}))
    with pytest.raises(UserError, match="text 0 has 3 tokens, more than dense_limit 2"):
        DenseBattery(OPTIONS, Texts.of({0: make_text(range(3))}), dense_limit=2)


def test_samples_without_a_text_are_passed_over():
    items = make_items("causal")
    some = Texts({s: t for s, t in texts_of(items).tokens.items() if s in (1, 3)})
    battery = DenseBattery(OPTIONS, some)
    battery.update(batch(items))
    assert battery.head_mean.samples.tolist() == [1, 3]
    battery.update(part(batch(items), samples=slice(4, 5)))
    assert battery.head_mean.samples.tolist() == [1, 3]


def test_the_split_is_that_of_the_texts_without_and_with_sinks():
    items = make_items("causal", lengths=(6, 6, 6, 6), vocabulary=9)
    battery = DenseBattery(OPTIONS, texts_of(items))
    battery.update(batch(items))
    plain = ProfileSums(OPTIONS)
    plain.update(batch(items))
    mine, theirs = battery.profiles[None].split(1e-5), plain.split(1e-5)
    for name in ("position", "content", "share", "rows"):
        np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-12)
    # Rows without their sinks (the first and last token), by loops, go through the same split.
    removed = make_items("causal", lengths=(6, 6, 6, 6), vocabulary=9)
    for item in removed:
        item.weights, seen = reference.rows_of(item, sinks={0, 5})
        item.support = np.array([[k in (seen[0][q] or ()) for k in range(6)] for q in range(6)])
    again = ProfileSums(OPTIONS)
    again.update(batch(removed))
    mine, theirs = battery.profiles["sinks_removed"].split(1e-5), again.split(1e-5)
    for name in ("position", "content", "share", "rows"):
        np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-10)


def test_the_mean_over_heads_leaves_out_invalid_rows():
    items = make_items("full")
    block = batch(items)
    block.weights[0, 1, 2] *= 2
    block.weights[:, 3, 5] *= 2
    fold = HeadMean(OPTIONS, texts_of(items))
    fold.update(as_torch(block))
    expected = items[1].weights.mean(axis=0)
    expected[2] = items[1].weights[1:, 2].mean(axis=0)
    np.testing.assert_allclose(fold.of(1), expected, rtol=1e-12)
    lost = np.isnan(fold.of(3))
    assert lost[5].all()
    assert lost.sum() == 9


class TestRollout:
    def test_by_hand(self):
        first, second = np.array([[1.0, 0], [0.5, 0.5]]), np.array([[1.0, 0], [1, 0]])
        # ½A+½I: [[1, 0], [¼, ¾]] and [[1, 0], [½, ½]]; the second times the first.
        np.testing.assert_allclose(rollout([first, second]), [[1, 0], [5 / 8, 3 / 8]])

    def test_attention_to_oneself_lets_nothing_flow(self):
        np.testing.assert_array_equal(rollout([np.eye(4)] * 3), np.eye(4))

    def test_rows_sum_to_1_and_causality_is_kept(self):
        rng = np.random.default_rng(0)
        layers = [np.tril(rng.random((7, 7))) for _ in range(5)]
        layers = [layer / layer.sum(axis=1, keepdims=True) for layer in layers]
        flow = rollout(layers)
        np.testing.assert_allclose(flow.sum(axis=1), 1, rtol=1e-13)
        assert not np.triu(flow, 1).any()
        expected = np.eye(7)  # written out, value by value
        for layer in layers:
            mixed = np.zeros((7, 7))
            for q in range(7):
                for k in range(7):
                    through = sum(layer[q, j] * expected[j, k] for j in range(7))
                    mixed[q, k] = (through + expected[q, k]) / 2
            expected = mixed
        np.testing.assert_allclose(flow, expected, rtol=1e-12)

    def test_a_missing_row_makes_it_unknown(self):
        broken = np.eye(3)
        broken[1] = np.nan
        assert np.isnan(rollout([np.eye(3), broken])).all()

    def test_from_folds(self):
        block, texts = one([[[1.0, 0], [0.5, 0.5]], [[1, 0], [0.9, 0.1]]])
        fold = HeadMean(OPTIONS, texts)
        fold.update(block)
        np.testing.assert_allclose(rollout([fold.of(0)]), [[1, 0], [0.35, 0.65]])
