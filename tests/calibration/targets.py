"""What error rates verdicts must keep, and whether a line of the table keeps them."""

from collections.abc import Mapping
from typing import Any

WRONG, UPPER = 0.05, 0.08
"""Most wrong diagnoses, and the most that their upper bound may be."""
CORRECT = {5: 0.80, 10: 0.95}
"""Seeds → least share of right diagnoses."""
BENEFICIAL = 0.025
"""Most that may be called BENEFICIAL where the benefit is no more than δ."""
AT_MARGIN = ("margin", "recall at δ")
"""Cases whose benefit is δ."""


def misses(row: Mapping[str, Any]) -> list[str]:
    """Return the targets that a line of the table misses; `UPPER` needs some 45 groups."""
    missed = []
    if row["wrong"] > WRONG:
        missed.append("wrong")
    if row["wrong_upper"] > UPPER:
        missed.append("upper")
    if row["correct"] < CORRECT.get(row["seeds"], 0.0):
        missed.append("right")
    if row["case"] in AT_MARGIN and row["beneficial"] > BENEFICIAL:
        missed.append("BENEFICIAL")
    return missed
