import pytest

from attnpipe.diagnosis.gates import undecided
from attnpipe.diagnosis.schema import Evidence


def evidence(low, high, n):
    return Evidence(
        id="x", table="t.csv", row={}, estimate=(low + high) / 2, lo95=low, hi95=high, n_seeds=n
    )


@pytest.mark.parametrize(
    ("low", "high", "n", "says"),
    [
        (0.1, 0.2, 3, "the interval leaves 0 out, but 3 seeds decide only where the estimate "
         "lies 3 of its half-widths away: 5 are the minimum."),
        (-0.2, -0.1, 4, "the interval leaves 0 out, but 4 seeds decide only where the estimate "
         "lies 3 of its half-widths away: 5 are the minimum."),
        (-0.1, 0.2, 3, "the interval does not settle it."),
        (-0.1, 0.2, 10, "the interval does not settle it."),
    ],
)  # fmt: skip
def test_too_few_seeds_and_too_wide_an_interval_are_told_apart(low, high, n, says):
    assert undecided(evidence(low, high, n), 0.0) == says
