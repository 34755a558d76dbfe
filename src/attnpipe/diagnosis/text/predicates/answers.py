"""How often the answers are right, and whether attention has to do with it."""

from functools import partial

from attnpipe.aggregation.text.names import OPERANDS
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.text.decide import any_of, changed, units_needed
from attnpipe.diagnosis.text.found import agreed, one_answer, turned, twin, undeclared, without
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.words import sample, signed, size
from attnpipe.diagnosis.words import count, estimate, listed, percent
from attnpipe.text.names import QUESTION

MASS = "mass_sinks_removed"
"""What is compared: the question may begin with a sink."""


def _accuracies(case: Case) -> list[Evidence]:
    """Return the accuracies of all variants that have one, in order."""
    ids = [key("accuracy", case.name, variant) for variant in case.texts.variants]
    return [case.book[i] for i in ids if i in case.book and case.book[i].estimate is not None]


def answers(case: Case) -> Finding | None:
    """Describe the share of right answers of every variant."""
    if case.texts.kind != "prompts":
        return None
    found = _accuracies(case)
    if not found:
        return case.lacking("No answer was scored.", ["a model that writes answers"])
    told = "; ".join(
        f"{e.row['variant']} {e.facts['correct']} of {e.n_units}, {estimate(e)}" for e in found
    )
    absent = [v for v in case.texts.variants if v not in {e.row["variant"] for e in found}]
    missing = [f"scored answers of {listed(absent)}"] if absent else []
    return case.answer(
        "DESCRIPTIVE",
        f"Right answers: {told} (Wilson’s intervals).",
        found,
        missing=missing,
        **size(found),
    )


def correctness(case: Case) -> Finding | None:
    """YES or NO at the practical margin of mass on the question and its operands.

    Undecided unless accuracy lies in the declared range: near 0 and 1 one of the groups is
    too small to be compared. Where the weights show sinks that nobody declared, the answer
    must be the same without them.
    """
    if case.texts.kind != "prompts":
        return None
    low, high = case.texts.accuracy_range
    found = _accuracies(case)
    middling = [e for e in found if e.estimate is not None and low <= e.estimate <= high]
    wanted = f"an accuracy between {percent(low)} and {percent(high)} (data.smallest, data.largest)"
    if not middling:
        shares = [percent(e.estimate) for e in found]
        said = f"accuracy is {listed(shares, 10)}" if shares else "no answer was scored"
        sentence = f"Right and wrong answers cannot be compared: {said}."
        return case.lacking(sentence, [wanted], found)
    groups = [f"{span} ({e.row['variant']})" for e in middling for span in (QUESTION, OPERANDS)]
    compared = {_name(e): e for e in _contrasts(case)}
    contrasts = [compared[name] for name in groups if name in compared]
    absent = [f"mass on {name}" for name in groups if name not in compared]
    if absent:
        return case.lacking("Not all groups were compared.", absent, [*middling, *contrasts])
    margin, thing = case.texts.mass_margin, case.texts.unit
    judge = partial(changed, margin=margin)
    sinks = undeclared(case, [str(e.row["variant"]) for e in middling])
    judged = [(e, agreed(case, sinks, e, judge)) for e in contrasts]
    turning = [e for e in contrasts if turned(case, sinks, e, judge)]
    status = any_of(answer for _, answer in judged)
    largest = max(contrasts, key=lambda e: abs(e.estimate or 0.0))
    shown = [_name(e) for e, answer in judged if answer == "YES"]
    end = {
        "YES": f"beyond {margin:g} for {listed(shown)}",
        "NO": f"no practical difference anywhere: all inside ±{margin:g}",
        "DESCRIPTIVE": "too few to test it",
    }.get(status, "neither a difference nor its absence is shown")
    sentence = (
        "Between right and wrong answers, mass off the sinks on the question and on its operands "
        f"differs most for {_name(largest)}: {signed(largest)} {sample(largest, thing)}, of "
        f"{count(len(contrasts), 'comparison')}: {end}."
    )
    if sinks:
        turn = f": {listed([_name(e) for e in turning])} turns on these sinks." if turning else "."
        sentence += without(case, sinks, [largest]) + turn
    open_ = [e for e, answer in judged if answer not in ("YES", "NO")]
    missing = []
    if status in ("INCONCLUSIVE", "DESCRIPTIVE"):
        more = units_needed(open_[0], thing, margin, -margin)
        missing = [one_answer(sinks)] if open_[0] in turning else more
    twins = [e for e in (twin(case, one) for one in contrasts) if e is not None] if sinks else []
    evidence = [*middling, *contrasts, *twins, *sinks]
    return case.answer(status, sentence, evidence, effect=largest, missing=missing)


def _contrasts(case: Case) -> list[Evidence]:
    """Return differences in mass between right and wrong answers over all layers."""
    return [
        e
        for e in case.of_model("contrast")
        if e.row["family"] == "correct"
        and e.row["layer"] is None
        and e.row["measure"] == MASS
        and e.estimate is not None
    ]


def _name(evidence: Evidence) -> str:
    """Return e.g. ``operands (2_shot)``."""
    return f"{evidence.row['span']} ({str(evidence.row['a']).removesuffix(': right')})"
