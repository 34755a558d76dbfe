"""Splitting one series by time and many by sequence."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.core.errors import UserError
from attnpipe.data.split import TEST, TRAIN, UNUSED, VALIDATION, by_sequence, chronological

shares = st.floats(0.05, 0.4)


@given(st.integers(30, 400), shares, shares, st.integers(0, 60))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_time_runs_from_training_over_validation_to_test_with_gaps(rows, val, test, gap):
    labels = chronological(rows, val, test, gap)
    order = [code for code in labels.tolist() if code != UNUSED]
    assert order == sorted(order)
    for before, after in ((TRAIN, VALIDATION), (VALIDATION, TEST)):
        first = np.flatnonzero(labels == after)
        if len(first):
            assert first[0] - np.flatnonzero(labels == before).max(initial=-1) > gap or (
                not (labels == before).any()
            )
    assert (labels == TRAIN).sum() == rows - round(rows * test) - round(rows * val)


@given(st.integers(3, 60), shares, shares)
@settings(deadline=None, derandomize=True, max_examples=100)
def test_sequences_are_shared_out_as_asked_whatever_their_order(count, val, test):
    names = [f"drive {i}" for i in range(count)]
    try:
        labels = by_sequence(names, val, test)
    except UserError:
        assert max(1, round(count * val)) + max(1, round(count * test)) >= count
        return
    assert (labels == VALIDATION).sum() == max(1, round(count * val))
    assert (labels == TEST).sum() == max(1, round(count * test))
    assert (labels == TRAIN).any()
    reverse = by_sequence(names[::-1], val, test)
    assert labels.tolist() == reverse[::-1].tolist()


def test_a_sequence_added_moves_at_most_two_others():
    names = [f"drive {i}" for i in range(40)]
    before = by_sequence(names, 0.15, 0.15)
    for extra in range(20):
        after = by_sequence([*names, f"new {extra}"], 0.15, 0.15)
        assert (after[:-1] != before).sum() <= 2


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b"]])
def test_too_few_sequences_are_refused(names):
    message = f"{len(names)} sequences cannot be split .*data.test_fraction=0.15.*at least 3"
    with pytest.raises(UserError, match=message):
        by_sequence(names, 0.15, 0.15)


def test_fractions_that_leave_nothing_to_train_are_refused():
    with pytest.raises(UserError, match=re.escape("data.validation_fraction=0.45")):
        by_sequence(["a", "b", "c", "d"], 0.45, 0.44)
