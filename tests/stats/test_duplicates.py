import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.stats.duplicates import distinct, duplicates

once = settings(deadline=None, derandomize=True, max_examples=60)


def test_copies_are_grouped_in_the_order_of_the_input():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 4, 5))
    runs = {("m", 0): a, ("m", 1): b, ("m", 2): a.copy(), ("n", 0): c, ("n", 1): b, ("n", 2): a}
    assert duplicates(runs) == [(("m", 0), ("m", 2), ("n", 2)), (("m", 1), ("n", 1))]
    assert distinct(runs) == [("m", 0), ("m", 1), ("n", 0)]


@once
@given(st.lists(st.integers(0, 3), max_size=8))
def test_as_many_count_as_there_are_different_arrays(kinds):
    runs = {name: np.full(3, float(kind)) for name, kind in enumerate(kinds)}
    assert len(distinct(runs)) == len(set(kinds))
    grouped = {name for group in duplicates(runs) for name in group}
    assert grouped == {name for name, kind in enumerate(kinds) if kinds.count(kind) > 1}
    again = {name: runs[name] for name in distinct(runs)}
    assert duplicates(again) == []


@pytest.mark.parametrize(
    "other",
    [
        np.array([1.0, 2.0, 3.0 + 1e-15]),
        np.array([1.0, 3.0, 2.0]),
        np.array([[1.0, 2.0, 3.0]]),
        np.array([1.0, 2.0]),
        np.array([1.0, 2.0, np.nan]),
    ],
    ids=["last bit", "order", "shape", "length", "gap"],
)
def test_what_is_merely_close_is_no_copy(other):
    assert duplicates({"a": np.array([1.0, 2.0, 3.0]), "b": other}) == []


def test_storage_does_not_matter():
    a = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    a[0, 0] = np.nan
    a[0, 1] = 0.0
    b = np.asfortranarray(a.astype(np.float64))
    b[0, 0] = -np.nan
    b[0, 1] = -0.0
    before = b.tobytes()
    assert duplicates({0: a, 1: b, 2: a[::-1][::-1]}) == [(0, 1, 2)]
    assert b.tobytes() == before


def test_integers_such_as_right_or_wrong_are_compared_too():
    assert duplicates({0: np.array([1, 0]), 1: np.array([True, False])}) == [(0, 1)]


def test_runs_without_any_value_are_no_copies_of_each_other():
    lost = np.full(4, np.nan)
    assert duplicates({0: lost, 1: lost, 2: np.array([]), 3: np.array([])}) == []
    assert distinct({0: lost, 1: lost}) == [0, 1]
