"""When a difference between prompts is shown, shown to be too small, or neither.

As `attnpipe.diagnosis.gates`, with questions as the replicates, and with p adjusted by Holm
within the family: what decides is few and declared, and all of it is counted.
"""

from collections.abc import Iterable
from math import ceil, log2

from attnpipe.diagnosis.gates import ENOUGH, gate, margin_gate, replicates
from attnpipe.diagnosis.schema import Evidence, Status
from attnpipe.diagnosis.text.contrasts import ALPHA
from attnpipe.diagnosis.words import count

MOST = 1000
"""Questions beyond which no number is named."""


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


def units_needed(evidence: Evidence, thing: str, *thresholds: float) -> list[str]:
    """Say how many questions would do, as `stats.seeds_needed` counts them."""
    n, low, high = replicates(evidence), evidence.lo95, evidence.hi95
    if n < ENOUGH:
        return [f"{count(ENOUGH - n, f'more {thing}')} (there {'is' if n == 1 else 'are'} {n})"]
    if evidence.estimate is not None and (low is None or high is None):
        return [f"more {thing}s: what a share is taken of is not clearly above 0"]
    if evidence.estimate is None or low is None or high is None:
        return [f"an interval: more {thing}s with a value"]
    half, distance = (high - low) / 2, min(abs(evidence.estimate - t) for t in thresholds)
    if half < distance and not significant(evidence):
        return [f"{_for_p(evidence)} {thing}s: the interval is clear, p over all tests is not"]
    from attnpipe.stats.seeds_needed import seeds_needed_by_interval  # loads scipy

    needed = seeds_needed_by_interval(evidence.estimate, half, n, *thresholds).seeds
    if needed is None or needed > MOST:
        return [f"more {thing}s: the estimate lies almost on the margin"]
    return [f"about {max(n + 1, needed)} {thing}s"]


def _for_p(evidence: Evidence) -> str:
    """Return how many units the smallest p of a sign-flip test, 2/2ⁿ, needs to pass Holm's."""
    p, adjusted = evidence.facts.get("p"), evidence.facts.get("p_holm")
    if not isinstance(p, float) or not isinstance(adjusted, float) or p <= 0:
        return "more"
    needed = 1 + ceil(log2(max(1.0, adjusted / p) / ALPHA))
    return f"at least {needed}" if needed > replicates(evidence) else "more"
