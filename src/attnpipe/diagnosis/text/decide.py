"""When a difference between prompts is shown, shown to be too small, or neither.

As `attnpipe.diagnosis.gates`, with questions as the replicates, and with p adjusted by Holm
within the family: what decides is few and declared, and all of it is counted.
"""

from collections.abc import Iterable

from attnpipe.diagnosis.gates import gate, margin_gate
from attnpipe.diagnosis.schema import Evidence, Status
from attnpipe.diagnosis.text.contrasts import ALPHA


def changed(evidence: Evidence, margin: float) -> Status:
    """Answer "does it differ from 0 by more than the margin?", in either direction.

    YES: the interval lies beyond the margin and Holm's p is below 0.05; NO: the 90 % interval
    lies inside ±margin.
    """
    status = margin_gate(evidence, margin)
    if status not in ("YES", "HARM"):
        return status
    return "YES" if significant(evidence) else "INCONCLUSIVE"


def above_zero(evidence: Evidence) -> Status:
    """Answer "is it above 0?": YES and NO rest on the interval and on Holm's p."""
    status = gate(evidence, 0.0)
    return "INCONCLUSIVE" if status in ("YES", "NO") and not significant(evidence) else status


def significant(evidence: Evidence) -> bool:
    """Whether Holm's p is below 0.05; not if there is none."""
    p = evidence.facts.get("p_holm")
    return isinstance(p, float) and p < ALPHA


def clear(evidence: Evidence, margin: float) -> bool:
    """Whether the interval lies beyond ±margin on one side."""
    low, high = evidence.lo95, evidence.hi95
    return low is not None and high is not None and (low > margin or high < -margin)


def any_of(answers: Iterable[Status]) -> Status:
    """Return YES if any is, NO only if all are; else that it is not settled."""
    found = list(answers)
    if "YES" in found:
        return "YES"
    if found and all(answer == "NO" for answer in found):
        return "NO"
    return "DESCRIPTIVE" if "DESCRIPTIVE" in found else "INCONCLUSIVE"
