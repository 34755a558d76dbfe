"""Sums that are alike for all heads are held once, counts in few bytes; neither shows."""

import numpy as np
import pytest

from attnpipe.metrics.tally import Tally

HEADS, KEYS = np.arange(3), np.arange(5, 9)


def tally() -> Tally:
    return Tally(("head", "key"), {"mass": 2, "seen": 2, "rows": 1}, counts=["seen"])


def held(of: Tally, name: str) -> int:
    """Return the bytes that a sum takes."""
    return of._sums[name].nbytes


def test_a_sum_that_is_alike_for_all_heads_is_held_once() -> None:
    own, alike = tally(), np.array([[1.0, 2.0, 3.0, 4.0]])
    own.add((HEADS, KEYS), mass=alike)
    assert held(own, "mass") == alike.nbytes
    own.add((HEADS, KEYS + 2), mass=alike)
    assert held(own, "mass") == 6 * 8
    assert np.array_equal(own["mass"], [[1, 2, 4, 6, 3, 4]] * 3)


def test_heads_part_when_one_of_them_differs() -> None:
    own, alike = tally(), np.ones((1, 4))
    own.add((HEADS, KEYS), mass=alike)
    own.add((HEADS[1:2], KEYS[:1]), mass=alike[:, :1])
    assert np.array_equal(own["mass"], [[1, 1, 1, 1], [2, 1, 1, 1], [1, 1, 1, 1]])
    own.add((HEADS, KEYS), mass=np.arange(12.0).reshape(3, 4))
    own.add((HEADS, KEYS), mass=alike)
    assert np.array_equal(own["mass"] - 2, [[0, 1, 2, 3], [5, 5, 6, 7], [8, 9, 10, 11]])


def test_a_head_that_comes_later_has_nothing_of_what_was_alike_before() -> None:
    own = tally()
    own.add((HEADS[:2], KEYS), mass=np.ones((1, 4)))
    own.add((HEADS[2:], KEYS), mass=np.ones((1, 4)), rows=np.ones(1))
    own.add((HEADS[2:], KEYS), rows=np.ones(1))
    assert np.array_equal(own["mass"], np.ones((3, 4)))
    own.add((np.array([7]), KEYS), rows=np.ones(1))
    assert np.array_equal(own["mass"], [[1] * 4] * 3 + [[0] * 4])
    assert np.array_equal(own["rows"], [0, 0, 2, 1])


@pytest.mark.parametrize("alike", [True, False])
def test_state_is_the_same_however_a_sum_is_held(alike: bool) -> None:
    one, other, values = tally(), tally(), np.array([[1.0, 2.0, 3.0, 4.0]])
    one.add((HEADS, KEYS), mass=values)
    other.add((HEADS, KEYS), mass=values if alike else np.repeat(values, 3, axis=0))
    state = one.state()["sum/mass"]
    assert state.flags.c_contiguous  # as files of arrays must have it
    assert np.array_equal(state, other.state()["sum/mass"])
    one.merge(other)
    assert np.array_equal(one["mass"], np.repeat(2 * values, 3, axis=0))
    again = tally()
    again.restore(one.state())
    again.merge(tally())
    again.add((HEADS, KEYS), mass=values)
    assert np.array_equal(again["mass"], np.repeat(3 * values, 3, axis=0))


def test_counts_are_exact_in_as_few_bytes_as_they_need() -> None:
    own, sizes = tally(), []
    for number in (200.0, 100.0, 70_000.0, 5e9):
        own.add((HEADS, KEYS), seen=np.full((3, 4), number))
        sizes.append(held(own, "seen") // 12)
    assert sizes == [1, 2, 4, 8]
    assert own["seen"].tolist() == [[5_000_070_300] * 4] * 3
    assert own.state()["sum/seen"].dtype == np.float64
    again = tally()
    again.restore(own.state())
    again.merge(own)
    assert again["seen"].tolist() == [[10_000_140_600] * 4] * 3


def test_a_label_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="labels of axis 'key' are not unique"):
        tally().add((HEADS, np.array([1, 1])), mass=np.ones((3, 2)))


@pytest.mark.parametrize(("one", "other"), [(200, 100), (255, 1), (65_000, 1000), (2**32 - 1, 1)])
def test_merged_counts_do_not_wrap_at_the_end_of_their_type(one: int, other: int) -> None:
    mine, theirs = tally(), tally()
    mine.add((HEADS, KEYS), seen=np.full((3, 4), float(one)))
    theirs.add((HEADS, KEYS), seen=np.full((3, 4), float(other)))
    mine.merge(theirs)
    assert mine["seen"].tolist() == [[one + other] * 4] * 3
