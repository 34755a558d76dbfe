"""Clusters from distances: by hand, planted, and the same whatever the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.stats.clustering import cluster


def symmetric(upper):
    return upper + upper.T


def distances_of(points):
    return np.abs(np.subtract.outer(points, points)).astype(float)


def test_by_hand():
    # 1 and 3 join at 1; 0 and 2 at 2; all at the mean of 5, 6, 7, 8.
    found = cluster(distances_of([0.0, 7, 2, 8]), 2.0)
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.order.tolist() == [0, 2, 1, 3]
    np.testing.assert_allclose(found.merges[:, 2], [1, 2, 6.5])
    assert found.merges[:, 3].tolist() == [2, 2, 4]


@pytest.mark.parametrize(
    ("cut", "labels"),
    [(0.99, [0, 1, 2, 3]), (1.0, [0, 1, 2, 1]), (6.49, [0, 1, 0, 1]), (6.5, [0, 0, 0, 0])],
)
def test_the_cut_is_inclusive(cut, labels):
    assert cluster(distances_of([0.0, 7, 2, 8]), cut).labels.tolist() == labels


@pytest.mark.parametrize("count", [0, 1])
def test_one_thing_is_one_cluster(count):
    found = cluster(np.zeros((count, count)), 0.5)
    assert found.labels.tolist() == found.order.tolist() == list(range(count))
    assert found.merges.shape == (0, 4)


def test_equal_things_join_at_cut_0():
    assert cluster(distances_of([3.0, 1, 3, 1]), 0.0).labels.tolist() == [0, 1, 0, 1]


def test_bad_distances_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        cluster(np.array([[0, np.nan], [np.nan, 0]]), 0.5)
    with pytest.raises(ValueError, match="symmetric"):
        cluster(np.array([[0.0, 1], [2, 0]]), 0.5)
    with pytest.raises(ValueError, match="diagonal"):
        cluster(np.array([[1.0, 1], [1, 1]]), 0.5)


@given(seed=st.integers(0, 999), count=st.integers(2, 12), cut=st.floats(0, 1))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_clusters_do_not_depend_on_the_order(seed, count, cut):
    rng = np.random.default_rng(seed)
    distances = symmetric(np.triu(rng.random((count, count)), 1))
    shuffle = rng.permutation(count)
    plain, mixed = cluster(distances, cut), cluster(distances[np.ix_(shuffle, shuffle)], cut)
    together = plain.labels[:, None] == plain.labels[None, :]
    np.testing.assert_array_equal(
        together[np.ix_(shuffle, shuffle)], mixed.labels[:, None] == mixed.labels[None, :]
    )
    # Labels are numbered by first members; leaves of a cluster lie in one piece.
    assert list(dict.fromkeys(plain.labels.tolist())) == list(range(plain.labels.max() + 1))
    assert sorted(plain.order.tolist()) == list(range(count))
    changes = np.count_nonzero(np.diff(plain.labels[plain.order]))
    assert changes == plain.labels.max()


def test_planted_groups_are_found():
    rng = np.random.default_rng(1)
    group = rng.integers(0, 3, 20)
    distances = np.where(np.equal.outer(group, group), 0.2, 0.8)
    distances += symmetric(np.triu(rng.uniform(-0.05, 0.05, (20, 20)), 1))
    np.fill_diagonal(distances, 0)
    labels = cluster(distances, 0.5).labels
    np.testing.assert_array_equal(np.equal.outer(labels, labels), np.equal.outer(group, group))
