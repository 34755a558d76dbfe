import numpy as np
import pytest

from attnpipe.stats.against_null import AgainstNull

NULL = np.arange(1.0, 100.0) / 100  # 0.01 … 0.99
"""99 draws."""


@pytest.mark.parametrize(
    ("value", "p"), [(2.0, 0.01), (0.99, 0.02), (0.955, 0.05), (0.5, 0.51), (-1.0, 1.0)]
)
def test_p_counts_the_draws_that_are_as_much_and_the_value_itself(value, p):
    assert AgainstNull(value, NULL).p == pytest.approx(p)


def test_mean_and_upper_end_are_those_of_the_draws():
    found = AgainstNull(0.7, np.append(NULL, np.nan))
    assert found.mean == pytest.approx(0.5)
    assert found.hi95 == pytest.approx(0.9410)
    assert found.excess == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("value", "above"),
    [
        (0.3, True),
        (0.14, False),  # p is small, the excess too
        (0.009, False),
        (float("nan"), False),
    ],
)
def test_above_needs_a_small_p_and_an_excess(value, above):
    assert AgainstNull(value, NULL / 100).above is above


def test_without_draws_nothing_is_known():
    found = AgainstNull(0.9, np.full(5, np.nan))
    assert np.isnan([found.p, found.mean, found.hi95, found.excess]).all()
    assert not found.above
