"""Comparisons that must hold without the sinks that the weights show, too.

Contrasts rest on weights off the *declared* sinks. A key that the weights show to be a sink
although nobody declared it stands in some part of the prompt, and its mass counts there: what
turns round once it is left out is no answer.
"""

from collections.abc import Callable, Iterable, Sequence

from attnpipe.aggregation.text.names import SINKS_REMOVED
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Status
from attnpipe.diagnosis.text.readable import visible
from attnpipe.diagnosis.text.sinks import KIND
from attnpipe.diagnosis.text.words import signed
from attnpipe.diagnosis.words import listed
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED

Judge = Callable[[Evidence], Status]


def undeclared(case: Case, variants: Iterable[str]) -> list[Evidence]:
    """Return the sinks of these variants that the weights show and nobody declared."""
    asked = set(variants)
    return [
        e for e in case.of_model(KIND) if e.facts["declared"] is False and e.row["variant"] in asked
    ]


def twin(case: Case, evidence: Evidence) -> Evidence | None:
    """Return the same contrast without the sinks that the weights show, if it has a value."""
    before, _, after = evidence.id.rpartition(f"_{SINKS_REMOVED}")
    found = case.book.get(f"{before}_{FOUND_SINKS_REMOVED}{after}")
    return found if found is not None and found.estimate is not None else None


def agreed(case: Case, sinks: Sequence[Evidence], evidence: Evidence, judge: Judge) -> Status:
    """Return what a judge says of a contrast, if it says so without found sinks, too.

    Parameters
    ----------
    case
        The model.
    sinks
        As of `undeclared`, of the variants that are compared; none: there is nothing to ask.
    evidence
        Contrast off the declared sinks.
    judge
        What answers.

    Returns
    -------
    Status
        Where one of the two is open, that; INCONCLUSIVE where they contradict each other in
        answer or direction, or the other one has no value.
    """
    answer = judge(evidence)
    if not sinks:
        return answer
    other = twin(case, evidence)
    if other is None:
        return "INCONCLUSIVE"
    second = judge(other)
    settled = ("YES", "NO")
    if answer not in settled or second not in settled:
        return second if answer in settled else answer
    same_side = ((evidence.estimate or 0.0) > 0) == ((other.estimate or 0.0) > 0)
    contradict = answer != second or (answer == "YES" and not same_side)
    return "INCONCLUSIVE" if contradict else answer


def turned(case: Case, sinks: Sequence[Evidence], evidence: Evidence, judge: Judge) -> bool:
    """Whether an answer is lost once found sinks are left out."""
    return judge(evidence) in ("YES", "NO") and judge(evidence) != agreed(
        case, sinks, evidence, judge
    )


def named(sinks: Sequence[Evidence]) -> str:
    """Return the sinks as ``‘·’ at position 4 of 1_shot and 2_shot``."""
    places: dict[tuple[str, str], list[str]] = {}
    for e in sinks:
        key = (visible(str(e.facts["token"])), str(e.row["position"]))
        places.setdefault(key, []).append(str(e.row["variant"]))
    return listed(
        [
            f"‘{token}’ at position {place} of {listed(own)}"
            for (token, place), own in places.items()
        ]
    )


def without(case: Case, sinks: Sequence[Evidence], evidence: Sequence[Evidence]) -> str:
    """Tell contrasts without the found sinks; empty where there are none."""
    if not sinks:
        return ""
    twins = [twin(case, e) for e in evidence]
    told = [signed(e) if e is not None else "unknown" for e in twins]
    return f" Without the sinks that the weights show, too ({named(sinks)}): {' and '.join(told)}"


def one_answer(sinks: Sequence[Evidence]) -> str:
    """Say that no further question mends what turns on a sink."""
    return f"one answer: it is another without {named(sinks)}"
