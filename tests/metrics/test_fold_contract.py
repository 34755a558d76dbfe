"""What holds for every fold: results do not depend on how the rows arrive."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from tests.metrics.cases import FIELDS, KINDS, as_torch, make_block, part
from tests.metrics.folds import assert_same, replaced, run

from attnpipe.core.fold import Fold
from attnpipe.metrics.battery import Battery
from attnpipe.metrics.peaks import Peaks
from attnpipe.metrics.profile import ProfileSums
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.validity import RowValidity
from attnpipe.schema.analysis import MetricsSpec

FOLDS = (RowMeans, RowValidity, ProfileSums, Peaks, Battery)
OPTIONS = MetricsSpec(top_k=[2, 5], recent_k=[3], peak_tolerance=0.01, row_tolerance=1e-6)


@pytest.fixture(params=["one_query", "causal", "padded", "gaps"])
def block(request):
    """Mostly valid rows, with one of each fault."""
    block = make_block(request.param, samples=6, keys=9)
    block.weights[0, 0, -1, 0] = np.nan
    block.weights[0, 1, -1] *= -1
    block.weights[1, 2, -1] *= 3
    return block


@pytest.fixture(params=FOLDS, ids=lambda cls: cls.__name__)
def make(request):
    return lambda: request.param(OPTIONS)


def test_every_fold_follows_the_protocol(make):
    assert isinstance(make(), Fold)


def test_torch_rows_give_the_same(make, block):
    assert_same(run(make, as_torch(block)), run(make, block))


def test_order_of_samples_does_not_matter(make, block):
    order = np.array([3, 0, 5, 1, 4, 2])
    support = block.support if len(block.support) == 1 else block.support[order]
    shuffled = replaced(
        block, weights=block.weights[:, order], support=support, samples=block.samples[order]
    )
    assert_same(run(make, shuffled), run(make, block))


def test_order_of_keys_does_not_matter(make, block):
    order = np.random.default_rng(0).permutation(len(block.key_positions))
    shuffled = replaced(
        block,
        weights=block.weights[..., order],
        support=block.support[..., order],
        key_positions=block.key_positions[order],
    )
    assert_same(run(make, shuffled), run(make, block))


def test_order_of_heads_is_kept(make, block):
    swapped = run(make, replaced(block, weights=block.weights[::-1])).state()
    for key, value in run(make, block).state().items():
        if "sum/" in key:
            np.testing.assert_allclose(swapped[key], value[::-1], rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(swapped[key], value)


def test_blocks_may_be_split_by_samples(make, block):
    pieces = [part(block, samples=slice(i, j)) for i, j in [(4, 6), (0, 1), (1, 4)]]
    assert_same(run(make, *pieces), run(make, block))


def test_blocks_may_be_split_by_queries(make, block):
    queries = len(block.query_positions)
    cuts = [slice(i, i + 2) for i in range(0, queries, 2)]
    pieces = [part(block, queries=cut) for cut in reversed(cuts)]
    assert_same(run(make, *pieces), run(make, block))


def test_merging_is_the_same_as_seeing_all(make, block):
    first, rest = part(block, samples=slice(0, 2)), part(block, samples=slice(2, None))
    fold = run(make, first)
    fold.merge(run(make, rest))
    assert_same(fold, run(make, block))
    reverse = run(make, rest)
    reverse.merge(run(make, first))
    assert_same(reverse, run(make, block))


def test_merging_with_an_empty_fold_changes_nothing(make, block):
    fold = run(make, block)
    fold.merge(make())
    assert_same(fold, run(make, block))
    empty = make()
    empty.merge(run(make, block))
    assert_same(empty, run(make, block))


def test_merging_leaves_the_other_fold_alone(make, block):
    other = run(make, part(block, samples=slice(2, None)))
    before = {key: value.copy() for key, value in other.state().items()}
    fold = run(make, part(block, samples=slice(0, 2)))
    fold.merge(other)
    fold.update(replaced(part(block, samples=slice(3, 4)), samples=np.array([77])))
    for key, value in other.state().items():
        np.testing.assert_array_equal(value, before[key])


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
        value += 1
    assert_same(fold, run(make, block))


def test_inputs_are_not_changed(make, block):
    before = {name: getattr(block, name).copy() for name in FIELDS}
    run(make, block)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(block, name), before[name])


def test_a_sample_given_twice_in_a_block_is_refused(block):
    twice = replaced(block, samples=np.array([0, 1, 1, 2, 3, 4]))
    with pytest.raises(ValueError, match="'sample' are not unique"):
        run(lambda: RowMeans(OPTIONS), twice)


@pytest.mark.parametrize("make_fold", [RowMeans, RowValidity, Peaks])
def test_masked_keys_change_nothing(make_fold, block):
    fold = run(lambda: make_fold(OPTIONS), with_masked_keys(block))
    assert_same(fold, run(lambda: make_fold(OPTIONS), block))


def test_masked_keys_have_an_empty_profile(block):
    longer = run(lambda: ProfileSums(OPTIONS), with_masked_keys(block))
    plain = run(lambda: ProfileSums(OPTIONS), block)
    np.testing.assert_allclose(longer.profile()[:, 1:-1], plain.profile(), rtol=1e-13)
    assert not longer.profile()[:, [0, -1]].any()
    for mine, theirs in zip(longer.lag_profile(), plain.lag_profile(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-13)
    longer_split, plain_split = longer.split(1e-5), plain.split(1e-5)
    np.testing.assert_allclose(longer_split.content, plain_split.content, rtol=1e-10)


def with_masked_keys(block):
    edge = np.zeros((*block.weights.shape[:-1], 1))
    mask = np.zeros((*block.support.shape[:-1], 1), bool)
    return replaced(
        block,
        weights=np.concatenate([edge, block.weights, edge], axis=-1),
        support=np.concatenate([mask, block.support, mask], axis=-1),
        key_positions=np.concatenate([[0], block.key_positions, [99]]),
    )


@given(
    kind=st.sampled_from(KINDS),
    cuts=st.lists(st.integers(1, 7), max_size=4, unique=True).map(sorted),
    seed=st.integers(0, 999),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_split_gives_the_same_battery(kind, cuts, seed):
    block = make_block(kind, samples=8, keys=6, seed=seed)
    edges = [0, *cuts, 8]
    pieces = [part(block, samples=slice(i, j)) for i, j in pairwise(edges)]
    np.random.default_rng(seed).shuffle(pieces)
    battery = Battery(OPTIONS)
    halves = Battery(OPTIONS), Battery(OPTIONS)
    for i, piece in enumerate(pieces):
        halves[i % 2].update(piece)
    battery.merge(halves[0])
    battery.merge(halves[1])
    assert_same(battery, run(lambda: Battery(OPTIONS), block))
