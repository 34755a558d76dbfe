"""Grouping test windows into units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.core.errors import UserError
from attnpipe.data.units import group


def test_blocks_are_counted_from_each_sequences_first_window():
    ends = np.array([3, 5, 7, 9, 20, 22, 24, 26, 28], dtype=np.int64)
    sequence = np.array([4, 4, 4, 4, 9, 9, 9, 9, 9], dtype=np.int64)
    units = group(ends, sequence, 4, 2)
    assert units.keep.all()
    assert units.unit.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    assert units.first.tolist() == [3, 7, 20, 24, 28]


def test_last_block_is_left_out_if_less_than_half_is_covered():
    ends = np.arange(0, 25, dtype=np.int64)
    zeros = np.zeros_like(ends)
    assert group(ends, zeros, 10, 1).keep.sum() == 25  # 5 of 10 covered
    assert group(ends[:-1], zeros[:-1], 10, 1).keep.sum() == 20  # 4 of 10
    assert group(ends[:21:5], zeros[:21:5], 10, 5).keep.tolist() == [True] * 5


def test_without_blocks_the_sequence_is_the_unit():
    ends = np.arange(10, dtype=np.int64)
    sequence = np.repeat([7, 2], 5).astype(np.int64)
    units = group(ends, sequence, None, 1)
    assert units.unit.tolist() == [0] * 5 + [1] * 5
    assert units.first.tolist() == [0, 5]


def test_units_longer_than_the_test_are_refused():
    ends = np.arange(10, dtype=np.int64)
    with pytest.raises(UserError, match=r"covers 10 rows, less than half of the 21 .*unit_hours"):
        group(ends, np.zeros_like(ends), 21, 1)


@given(st.integers(1, 200), st.integers(1, 30), st.integers(1, 7))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_units_do_not_overlap_and_each_window_is_in_its_block(count, block, stride):
    ends = 11 + stride * np.arange(count, dtype=np.int64)
    try:
        units = group(ends, np.zeros_like(ends), block, stride)
    except UserError:
        assert count * stride * 2 < block + 2 * stride
        return
    kept = ends[units.keep]
    first = units.first[units.unit]
    assert ((kept >= first) & (kept < first + block)).all()
    assert (np.diff(units.first) >= block).all()
    assert sorted(set(units.unit.tolist())) == list(range(len(units.first)))
