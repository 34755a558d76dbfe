"""What holds for every fold of tokens: results do not depend on how the rows arrive."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from tests.metrics.cases import FIELDS, as_torch, part
from tests.metrics.folds import assert_same, replaced, run
from tests.metrics.tokens.cases import KINDS, LENGTHS, batch, make_items, texts_of

from attnpipe.core.fold import Fold
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.head_distances import HeadDistances
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.metrics.tokens.lags import LagProfile
from attnpipe.metrics.tokens.peaks import SamplePeaks
from attnpipe.metrics.tokens.scores import HeadScores
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.metrics.tokens.validity import SampleValidity
from attnpipe.metrics.tokens.variation import PrefixVariation
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[2], recent_k=[3], row_tolerance=1e-6)
PLAIN = (Incoming, LagProfile, SampleValidity, SamplePeaks)
FOLDS = (
    *PLAIN,
    HeadScores,
    HeadDistances,
    PrefixVariation,
    TokenBattery,
)
SETTINGS = {
    HeadDistances: {"rows": 3},
    PrefixVariation: {"sinks_removed": 1},
    TokenBattery: {"distance_rows": 3},
}
TEXTS = texts_of(make_items("full"))


@pytest.fixture(params=["full", "window"])
def block(request):
    """Mostly valid rows, with one of each fault."""
    block = batch(make_items(request.param))
    block.weights[0, 0, -1, 0] = np.nan
    block.weights[0, 1, -1] *= -1
    block.weights[1, 2, -1] *= 3
    return block


def maker(cls):
    if cls in PLAIN:
        return lambda: cls(OPTIONS)
    return lambda: cls(OPTIONS, TEXTS, **SETTINGS.get(cls, {}))


@pytest.fixture(params=FOLDS, ids=lambda cls: cls.__name__)
def make(request):
    return maker(request.param)


def test_every_fold_follows_the_protocol(make):
    assert isinstance(make(), Fold)


def test_torch_rows_give_the_same(make, block):
    assert_same(run(make, as_torch(block)), run(make, block))


def test_order_of_samples_does_not_matter(make, block):
    order = np.array([3, 0, 1, 4, 2])
    shuffled = replaced(
        block,
        weights=block.weights[:, order],
        support=block.support[order],
        samples=block.samples[order],
    )
    assert_same(run(make, shuffled), run(make, block))


def test_order_of_keys_and_queries_does_not_matter(make, block):
    keys, queries = np.random.default_rng(0).permutation(9), np.random.default_rng(1).permutation(9)
    shuffled = replaced(
        block,
        weights=block.weights[:, :, queries][..., keys],
        support=block.support[:, queries][..., keys],
        query_positions=block.query_positions[queries],
        key_positions=block.key_positions[keys],
    )
    assert_same(run(make, shuffled), run(make, block))


def test_blocks_may_be_split_by_samples_and_queries(make, block):
    samples = [part(block, samples=slice(i, j)) for i, j in [(4, 5), (0, 1), (1, 4)]]
    pieces = [part(p, queries=slice(i, i + 2)) for i in (8, 0, 2, 6, 4) for p in samples]
    assert_same(run(make, *pieces), run(make, block))


def test_merging_is_the_same_as_seeing_all(make, block):
    first, rest = part(block, samples=slice(0, 2)), part(block, samples=slice(2, None))
    fold = run(make, first)
    fold.merge(run(make, rest))
    assert_same(fold, run(make, block))


def test_merging_with_an_empty_fold_changes_nothing(make, block):
    fold = run(make, block)
    fold.merge(make())
    assert_same(fold, run(make, block))
    empty = make()
    empty.merge(run(make, block))
    assert_same(empty, run(make, block))


def test_merging_leaves_the_other_fold_alone(make, block):
    other = run(make, part(block, samples=slice(2, 3)))
    before = {key: value.copy() for key, value in other.state().items()}
    fold = run(make, part(block, samples=slice(0, 2)))
    fold.merge(other)
    fold.update(part(block, samples=slice(3, 5)))
    for key, value in other.state().items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("cls", [cls for cls in FOLDS if cls not in PLAIN])
def test_folds_of_other_texts_merge(cls, block):
    def of(samples):
        return lambda: cls(OPTIONS, Texts({s: TEXTS[s] for s in samples}), **SETTINGS.get(cls, {}))

    fold = run(of([0, 1]), part(block, samples=slice(0, 2)))
    fold.merge(run(of([2, 3, 4]), part(block, samples=slice(2, None))))
    assert_same(fold, run(maker(cls), block))


def test_state_survives_a_file_and_goes_on(make, block):
    first, rest = part(block, samples=slice(0, 2)), part(block, samples=slice(2, None))
    stored = load(save(dict(run(make, first).state())))
    fold = type(make()).from_state(stored)
    assert fold.options == OPTIONS
    fold.update(rest)
    assert_same(fold, run(make, block))


def test_state_of_an_empty_fold_goes_on(make, block):
    fold = type(make()).from_state(make().state())
    fold.update(block)
    assert_same(fold, run(make, block))


def test_state_is_a_copy(make, block):
    fold = run(make, block)
    for value in fold.state().values():
        value += np.ones((), value.dtype)
    assert_same(fold, run(make, block))


def test_inputs_are_not_changed(make, block):
    before = {name: getattr(block, name).copy() for name in FIELDS}
    for name in FIELDS:
        getattr(block, name).flags.writeable = False
    run(make, block)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(block, name), before[name])


@pytest.mark.parametrize("cls", [cls for cls in FOLDS if cls not in PLAIN])
def test_masked_keys_and_padding_queries_change_nothing(cls, block):
    wide = np.pad(block.weights, [(0, 0), (0, 0), (0, 1), (0, 2)])
    # A padding query whose row looks right, with nothing on its support.
    wide[:, :, -1, :4] = 0.25
    longer = replaced(
        block,
        weights=wide,
        support=np.pad(block.support, [(0, 0), (0, 1), (0, 2)]),
        query_positions=np.arange(10),
        key_positions=np.arange(11),
    )
    assert_same(run(maker(cls), longer), run(maker(cls), block))


@pytest.mark.parametrize("cls", [HeadScores, TokenBattery])
def test_a_sample_without_a_text_is_refused(cls, block):
    with pytest.raises(ValueError, match="sample 77 has no text"):
        run(maker(cls), replaced(block, samples=np.array([0, 1, 2, 3, 77])))


@given(
    kind=st.sampled_from(KINDS),
    cuts=st.lists(st.integers(1, 8), max_size=3, unique=True).map(sorted),
    seed=st.integers(0, 999),
)
@settings(max_examples=5, deadline=None, derandomize=True)
def test_any_split_gives_the_same_battery(kind, cuts, seed):
    items = make_items(kind, seed=seed)
    texts, block = texts_of(items), batch(items)
    pieces = [part(block, queries=slice(i, j)) for i, j in pairwise([0, *cuts, max(LENGTHS)])]
    np.random.default_rng(seed).shuffle(pieces)
    halves = TokenBattery(OPTIONS, texts), TokenBattery(OPTIONS, texts)
    for i, piece in enumerate(pieces):
        halves[i % 2].update(piece)
    halves[0].merge(halves[1])
    assert_same(halves[0], run(lambda: TokenBattery(OPTIONS, texts), block))
