"""The battery against naive loops: every view of every kind of mask and padding."""

import numpy as np
import pytest
from tests.metrics.cases import as_torch, part
from tests.metrics.reference import reference as row_reference
from tests.metrics.tokens import reference
from tests.metrics.tokens.cases import KINDS, batch, make_items, texts_of, uniform_items

from attnpipe.core.block import Block
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[1, 3], recent_k=[2], row_tolerance=1e-6)
INVALID = {(0, 0, 2), (1, 3, 8), (2, 3, 8), (0, 4, 1)}
VIEWS = [(which, condition) for which in ("all", "last") for condition in (None, "sinks_removed")]


@pytest.fixture(params=KINDS, scope="module")
def items(request):
    return make_items(request.param)


@pytest.fixture(params=["right", "left"], scope="module")
def padding(request):
    return request.param


def spoiled(items, padding):
    """The batch with invalid rows, (head, sample, token)."""
    block, texts = batch(items, padding), texts_of(items, padding)
    for head, sample, token in INVALID:
        block.weights[head, sample, texts[sample].start + token] *= 2
    return block


@pytest.fixture(scope="module")
def battery(items, padding):
    battery = TokenBattery(OPTIONS, texts_of(items, padding), distance_rows=3)
    battery.update(spoiled(items, padding))
    return battery


def expected_rows(items, sample, which, condition):
    item = items[sample]
    length = len(item.text.ids)
    sinks = {0, length - 1} if condition else set()
    rows = reference.rows_of(
        item,
        sinks,
        only=length - 1 if which == "last" else None,
        invalid={(h, q) for h, s, q in INVALID if s == sample},
    )
    return *rows, sinks


def close(actual, expected, **where):
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12, err_msg=str(where))


@pytest.mark.parametrize("view", VIEWS)
class TestAgainstLoops:
    def cells(self, items, view):
        for sample, item in enumerate(items):
            for head in range(len(item.weights)):
                yield sample, head, *expected_rows(items, sample, *view)

    def test_scores(self, items, battery, view):
        for sample, head, p, seen, _ in self.cells(items, view):
            for name in SCORES:
                score = battery.views[view].scores.score(name)
                value, chance, rows = reference.score(name, p, seen, items[sample].text.ids, head)
                close(score.value[head, sample], value, name=name, sample=sample)
                close(score.chance[head, sample], chance, name=name, sample=sample)
                assert score.rows[head, sample] == rows

    def test_incoming(self, items, battery, view):
        for sample, head, p, seen, _ in self.cells(items, view):
            received = battery.views[view].incoming.of(sample)
            expected = reference.incoming(p, seen, head)
            assert set(expected) <= set(received.keys.tolist())
            for i, key in enumerate(received.keys.tolist()):
                mass, exposure = expected.get(key, (0.0, 0.0))
                close(received.mass[head, i], mass, key=key)
                close(received.exposure[head, i], exposure, key=key)
                close(received.ratio[head, i], mass / exposure if exposure else np.nan, key=key)
            assert received.rows[head] == len(reference.valid(seen, head))

    def test_lags(self, items, battery, view):
        for sample, head, p, seen, _ in self.cells(items, view):
            profile = battery.views[view].lags.of(sample)
            expected = reference.lag_profile(p, seen, head)
            nothing = (0.0, 0.0) if expected else (np.nan, np.nan)
            for i, lag in enumerate(profile.lags.tolist()):
                close(profile.mass[head, i], expected.get(lag, nothing)[0], lag=lag)
                close(profile.chance[head, i], expected.get(lag, nothing)[1], lag=lag)
            assert set(expected) <= set(profile.lags.tolist())

    def test_variation(self, items, battery, view):
        found = battery.views[view]
        for sample, head, p, seen, sinks in self.cells(items, view):
            close(found.lags.variation()[head, sample], reference.variation_lag(p, seen, head))
            value, rows = reference.variation_prefix(p, seen, head, sinks)
            close(found.variation.variation()[head, sample], value, sample=sample, head=head)
            assert found.variation.rows[head, sample] == rows

    def test_distances(self, items, battery, view):
        distances = battery.views[view].distances
        for sample, head, p, seen, _ in self.cells(items, view):
            length = len(items[sample].text.ids)
            step = -(-length // 3)
            queries = range(length - 1, -1, -step)
            for other in range(3):
                far, rows = reference.distance(p, seen, head, other, queries)
                np.testing.assert_allclose(
                    distances.mean()[head, other, sample], far, rtol=1e-7, atol=1e-8
                )
                assert distances.count[head, other, sample] == rows

    def test_row_metrics(self, items, battery, view):
        means = battery.views[view].means
        for sample in range(len(items)):
            p, seen, _ = expected_rows(items, sample, *view)
            for head in range(3):
                queries = reference.valid(seen, head)
                # The loops want one support for all heads, so each head is a block of its own.
                support = np.zeros((1, *p.shape[1:]), bool)
                for q in queries:
                    support[0, q, sorted(seen[head][q])] = True
                positions = np.arange(p.shape[-1])
                block = Block(p[head][None, None], support, positions, positions, np.zeros(1, int))
                expected = row_reference(block, (1, 2, 3))
                for name in means.metrics:
                    values = expected.get(name, np.array([np.nan])).ravel()
                    known = values[~np.isnan(values)]
                    found = means.means(name)
                    value = known.mean() if len(known) else np.nan
                    close(found.item_mean[head, sample], value, name=name, sample=sample)
                    assert found.item_count[head, sample] == len(known)


def test_rows_are_counted_without_padding_and_invalid_ones_by_reason(items, battery):
    lengths = np.array([len(item.text.ids) for item in items], float)
    np.testing.assert_array_equal(battery.validity.total, np.tile(lengths, (3, 1)))
    bad = np.zeros((3, len(items)))
    for head, sample, _ in INVALID:
        bad[head, sample] += 1
    np.testing.assert_array_equal(battery.validity.excluded("sum"), bad)
    np.testing.assert_array_equal(battery.validity.valid, lengths - bad)
    assert not battery.validity.excluded("padding").any()


def test_left_padding_and_batches_change_nothing(items, battery):
    alone = TokenBattery(OPTIONS, texts_of(items), distance_rows=3)
    for i in [3, 0, 4, 2, 1]:
        own = len(items[i].text.ids)
        block = spoiled(items, "right")
        block = part(block, samples=slice(i, i + 1), queries=slice(0, own))
        cut = Block(
            block.weights[..., :own],
            block.support[..., :own],
            block.query_positions,
            block.key_positions[:own],
            block.samples,
        )
        alone.update(as_torch(cut))
    mine, theirs = battery.state(), alone.state()
    for key in mine:
        if key != "text/start":
            np.testing.assert_allclose(mine[key], theirs[key], rtol=1e-12, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_uniform_attention_is_at_chance(kind, view):
    items = uniform_items(kind)
    battery = TokenBattery(OPTIONS, texts_of(items))
    battery.update(batch(items))
    found = battery.views[view]
    for name in SCORES:
        score = found.scores.score(name)
        np.testing.assert_allclose(score.value, score.chance, rtol=1e-13)
        assert (~np.isnan(score.value) == (score.rows > 0)).all()
    for sample in range(len(items)):
        ratio = found.incoming.of(sample).ratio
        np.testing.assert_allclose(ratio, np.ones_like(ratio), rtol=1e-13)
        profile = found.lags.of(sample)
        np.testing.assert_allclose(profile.mass, profile.chance, rtol=1e-13)
    np.testing.assert_allclose(
        found.lags.variation(), found.lags.variation_chance(), rtol=1e-10, atol=1e-14
    )
    assert np.nanmax(found.distances.mean(), initial=0.0) == 0.0
    np.testing.assert_allclose(np.nan_to_num(found.variation.variation()), 0.0, atol=1e-14)


def test_what_is_held_grows_no_faster_than_the_text():
    def held(length):
        items = make_items("causal", heads=2, lengths=(length,))
        battery = TokenBattery(OPTIONS, texts_of(items))
        battery.update(batch(items))
        return sum(value.nbytes for value in battery.state().values())

    assert held(120) - held(60) < 2.05 * (held(60) - held(30))
