"""Which windows exist, against a row-by-row definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.data.windows import every, find_runs, targets, window_ends


@st.composite
def rows(draw):
    """Draw usable and follows flags, mostly true, with a window and a lead."""
    n = draw(st.integers(1, 40))
    flags = st.lists(st.sampled_from([True, True, True, False]), min_size=n, max_size=n)
    return (
        np.array(draw(flags)),
        np.array(draw(flags)),
        draw(st.integers(1, 6)),
        draw(st.integers(0, 4)),
    )


def unbroken(usable, follows, first, last):
    """Say whether rows first…last exist, all count, and follow each other."""
    if first < 0 or last >= len(usable):
        return False
    return all(usable[first : last + 1]) and all(follows[first + 1 : last + 1])


@given(rows())
@settings(deadline=None, derandomize=True, max_examples=300)
def test_windows_are_exactly_those_without_a_break_up_to_the_target(case):
    usable, follows, window, lead = case
    expected = [
        e for e in range(len(usable)) if unbroken(usable, follows, e - window + 1, e + lead)
    ]
    assert window_ends(find_runs(usable, follows), window, lead).tolist() == expected


@given(rows())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_longest_run_is_the_longest_unbroken_stretch(case):
    usable, follows, _, _ = case
    n = len(usable)
    stretches = [
        b - a + 1 for a in range(n) for b in range(a, n) if unbroken(usable, follows, a, b)
    ]
    assert find_runs(usable, follows).longest == max(stretches, default=0)


@given(rows(), st.integers(1, 5))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_stride_keeps_the_first_window_of_each_run_and_every_nth_after(case, stride):
    usable, follows, window, lead = case
    runs = find_runs(usable, follows)
    ends = window_ends(runs, window, lead)
    expected, since = [], 0
    for index, end in enumerate(ends):
        new_run = index == 0 or not unbroken(usable, follows, ends[index - 1] - window + 1, end)
        since = 0 if new_run else since + 1
        if since % stride == 0:
            expected.append(end)
    assert every(ends, runs, window, stride).tolist() == expected


@given(rows(), st.booleans())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_targets_are_the_value_or_its_change_after_the_lead(case, increment):
    usable, follows, _, lead = case
    values = np.random.default_rng(0).normal(size=len(usable))
    found = targets(values, find_runs(usable, follows), lead, increment)
    for row, value in enumerate(found):
        if unbroken(usable, follows, row, row + lead):
            expected = values[row + lead] - (values[row] if increment else 0.0)
            assert value == expected
        else:
            assert np.isnan(value)
