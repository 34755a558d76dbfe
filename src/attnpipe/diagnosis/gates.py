"""Gates: when an interval answers a question, and when there are too few seeds to answer.

A gate is YES when the interval lies above its threshold, NO when it lies below it, and
undecided otherwise: what is not significant is not thereby absent.
"""

import math
from collections.abc import Sequence

from attnpipe.diagnosis.schema import Evidence, Status
from attnpipe.diagnosis.words import count
from attnpipe.stats.confidence import CONFIDENCE, TOST_CONFIDENCE

DESCRIBE, ENOUGH = 3, 5
"""Below `DESCRIBE` seeds numbers are described; below `ENOUGH` only huge effects count."""
HUGE = 3.0
"""Half-widths of its interval by which an estimate must clear a threshold to be huge."""
SEED_AXIS = "weights of several seeds, saved with their seed axis"
ON_MARGIN = "the estimate lies almost on the margin"
NO_SEED_AXIS = "Statistics over seeds are unknowable: the weights come without a seed axis."


def replicates(evidence: Evidence) -> int:
    """Return how many independent replicates are behind a number: seeds, else units of text."""
    n = evidence.n_units if evidence.n_seeds is None else evidence.n_seeds
    return n or 0


def gate(evidence: Evidence, threshold: float) -> Status:
    """Answer "is it above the threshold?" from the interval and the number of seeds."""
    if replicates(evidence) < DESCRIBE:
        return "DESCRIPTIVE"
    if evidence.lo95 is None or evidence.hi95 is None or evidence.estimate is None:
        return "INCONCLUSIVE"
    answer: Status = "INCONCLUSIVE"
    if evidence.lo95 > threshold:
        answer = "YES"
    elif evidence.hi95 < threshold:
        answer = "NO"
    return _tempered(answer, evidence, abs(evidence.estimate - threshold))


def margin_gate(evidence: Evidence, margin: float) -> Status:
    """Answer "is it positive by more than the margin?" with equivalence as the way to NO.

    YES: the interval lies above the margin; HARM: below its negative; NO: the 90 % interval
    (two one-sided tests), or the wider one if that is absent, lies inside ±margin.
    """
    if replicates(evidence) < DESCRIBE:
        return "DESCRIPTIVE"
    if evidence.lo95 is None or evidence.hi95 is None or evidence.estimate is None:
        return "INCONCLUSIVE"
    if evidence.lo95 > margin:
        return _tempered("YES", evidence, evidence.estimate - margin)
    if evidence.hi95 < -margin:
        return _tempered("HARM", evidence, -margin - evidence.estimate)
    low, high = equivalence_interval(evidence)
    if -margin < low and high < margin:
        return _tempered("NO", evidence, margin - abs(evidence.estimate))
    return "INCONCLUSIVE"


def skill_gate(evidence: Evidence, margin: float) -> Status:
    """Answer whether a model has skill: YES above 0, NO where it lies below the margin."""
    status = gate(evidence, 0.0)
    return "NO" if status == "INCONCLUSIVE" and gate(evidence, margin) == "NO" else status


def use_gate(evidence: Evidence, margin: float) -> Status:
    """Answer whether the loss grows by more than the margin.

    YES: the interval lies above the margin; NO: it lies below it, so that a loss that
    shrinks is no use either. Where that leaves it open, the ratio of losses may say YES.
    """
    status = gate(evidence, margin)
    return "YES" if status == "INCONCLUSIVE" and above_by_ratio(evidence, margin) else status


def above_by_ratio(evidence: Evidence, margin: float) -> bool:
    """Whether the loss grows to more than the margin makes of it, by a ratio over seeds.

    The lower end of ln(loss under the intervention / loss) lies above ln(1 + margin · skill /
    loss). Seeds often lose different multiples of the margin: then the interval of the mean
    reaches below it although all of them lie far above (`stats.log_of_means`).
    """
    facts = ("log_of_means_lo95", "log_of_means_margin", "margin")
    known = [fact for fact in map(evidence.facts.get, facts) if isinstance(fact, float)]
    if len(known) < len(facts) or replicates(evidence) < ENOUGH:
        return False
    low, at, delta = known
    return delta > 0 and low > math.log1p(margin * math.expm1(at) / delta)


def equivalence_interval(evidence: Evidence) -> tuple[float, float]:
    """Return the 90 % interval, or the wider one where the table has none."""
    low, high = evidence.facts.get("lo90"), evidence.facts.get("hi90")
    if isinstance(low, float) and isinstance(high, float):
        return low, high
    assert evidence.lo95 is not None  # callers have checked
    assert evidence.hi95 is not None
    return evidence.lo95, evidence.hi95


def _tempered(answer: Status, evidence: Evidence, clearance: float) -> Status:
    """Withhold an answer from three or four seeds unless the effect is huge."""
    if replicates(evidence) >= ENOUGH:
        return answer
    assert evidence.lo95 is not None  # callers have checked
    assert evidence.hi95 is not None
    half = (evidence.hi95 - evidence.lo95) / 2
    return answer if clearance >= HUGE * half else "INCONCLUSIVE"


def undecided(evidence: Evidence, threshold: float) -> str:
    """Say why a gate gave no answer: too few seeds for a clear interval, or a wide interval."""
    n, low, high = evidence.n_seeds or 0, evidence.lo95, evidence.hi95
    clear = low is not None and high is not None and (low > threshold or high < threshold)
    if clear and n < ENOUGH:
        return (
            f"the interval leaves {threshold:g} out, but {count(n, 'seed')} decide only where the "
            f"estimate lies {HUGE:g} of its half-widths away: {ENOUGH} are the minimum."
        )
    return "the interval does not settle it."


def undecided_between(codes: Sequence[str]) -> str:
    """Say that gates with answers do not agree, which no further run can mend."""
    return f"one answer: {' and '.join(codes)} differ, so that the verdict weighs each by itself"


def few_seeds(evidence: Evidence, *, replicates: bool = True) -> list[str]:
    """Name the seeds that are missing for a decision, if any, or that there is no seed axis."""
    if not replicates:
        return [SEED_AXIS]
    n = evidence.n_seeds or 0
    if n >= ENOUGH:
        return []
    return [f"{count(ENOUGH - n, 'more seed')} (there {'is' if n == 1 else 'are'} {n})"]


def number_of_seeds(evidence: Evidence, *thresholds: float) -> int | None:
    """Return about how many seeds would move the nearest threshold out of the interval.

    As in `stats.seeds_needed`, if seeds and not test data make the interval wide; between two
    thresholds it is the 90 % interval that must leave both out. Its half-width is taken on the
    side of the threshold. At least `ENOUGH`, and more than
    there are. None where that cannot be told, or no number would do.
    """
    n, (low, high) = replicates(evidence), (evidence.lo95, evidence.hi95)
    if evidence.estimate is None or low is None or high is None:
        return None
    confidence = CONFIDENCE
    inside = min(thresholds) < evidence.estimate < max(thresholds)
    if inside and isinstance(evidence.facts.get("lo90"), float):
        (low, high), confidence = equivalence_interval(evidence), TOST_CONFIDENCE
    if high <= low:
        return None
    from attnpipe.stats.seeds_needed import seeds_needed_by_interval  # loads scipy

    # an interval may be longer on one side, or end where the range of the measure does
    value = evidence.estimate
    counted = thresholds if inside else [min(thresholds, key=lambda at: abs(at - value))]
    needed = [
        seeds_needed_by_interval(
            value, high - value if at > value else value - low, n, at, confidence=confidence
        ).seeds
        for at in counted
    ]
    found = [number for number in needed if number is not None]
    return max(n + 1, ENOUGH, *found) if len(found) == len(needed) else None


def seeds_needed(evidence: Evidence, *thresholds: float) -> list[str]:
    """Say about how many seeds would move the nearest threshold out of the interval."""
    if evidence.lo95 is None or evidence.hi95 is None:
        if (evidence.n_seeds or 0) < DESCRIBE:
            return ["an interval: at least 3 seeds"]
        return ["skill that is clearly above 0: a share of less has no bounds"]
    needed, of_seeds = number_of_seeds(evidence, *thresholds), evidence.n_units is None
    if needed is None or needed > 1000:
        return [f"more seeds{'' if of_seeds else ' and test data'}: {ON_MARGIN}"]
    on_condition = "" if of_seeds else ", if seeds and not test data make the interval wide"
    return [f"about {needed} seeds{on_condition}"]
