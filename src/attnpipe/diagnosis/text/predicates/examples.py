"""Whether worked examples draw attention to their answers, and more examples more."""

from collections.abc import Mapping, Sequence
from functools import partial

from attnpipe.aggregation.text.names import ANSWERS, EXAMPLES, QUESTIONS
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.text.decide import above_zero, any_of, changed
from attnpipe.diagnosis.text.found import agreed, one_answer, turned, twin, undeclared, without
from attnpipe.diagnosis.text.names import UNIFORM
from attnpipe.diagnosis.text.needed import Needed, units_needed
from attnpipe.diagnosis.text.words import (
    between,
    by_layer,
    direction,
    sample,
    signed,
)
from attnpipe.diagnosis.words import count, listed

MASS, OFF_SINKS, RAW = "mass_sinks_removed", "mass_relative_sinks_removed", "mass"
"""Sinks are left out: beside them, most other tokens lie below uniform."""

Pair = tuple[Evidence | None, Evidence | None]


def examples(case: Case) -> Finding | None:
    """YES: with examples, their answers get more than uniform, and than their questions.

    Compared is relative mass without sinks, over all layers and heads. What decides is
    declared beforehand: each question's mean over all numbers of examples. Single variants
    are told beside it; where some show the opposite of others, that is described instead.
    Where the weights show sinks that nobody declared, each comparison must come out the same
    without them.
    """
    if case.texts.kind != "prompts":
        return None
    pairs = _against_both(case)
    if not pairs:
        return case.lacking(
            "No prompt has examples whose answers could be attended to.",
            ["variants with worked examples (data.shots above 0)"],
        )
    several = len(pairs) > 1
    decisive = pairs.pop(EXAMPLES, (None, None)) if several else next(iter(pairs.values()))
    plain = [e for e in _family(case, "examples") if e.row["measure"] == "mass_relative"]
    raw = [e for e in plain if e.row["b"] == UNIFORM]
    known = [e for pair in (decisive, *pairs.values()) for e in pair if e is not None]
    sinks = undeclared(case, pairs)
    answers = {variant: _drawn(case, sinks, *pair) for variant, pair in pairs.items()}
    absent = [
        f"{variant} against {name}"
        for variant, pair in (pairs | ({EXAMPLES: decisive} if several else {})).items()
        for name, e in zip((UNIFORM, QUESTIONS), pair, strict=True)
        if e is None
    ]
    uniform, questions = decisive
    if absent or uniform is None or questions is None:
        sentence = "Not every comparison of the examples’ answers is known."
        return case.lacking(sentence, absent, [*known, *raw])
    opposed = {"YES", "NO"} <= set(answers.values())
    status: Status = "DESCRIPTIVE" if opposed else _drawn(case, sinks, uniform, questions)
    sentence = (
        "Relative mass on the examples’ answers (sinks left out), less the 1 of uniform attention: "
        f"{signed(uniform)}; less that on the examples’ questions: {signed(questions)} "
        f"({count(uniform.n_units or 0, case.texts.unit)}{_over(pairs)}): {_told(answers, status)}."
    )
    turning = [
        name
        for name, e in (("uniform attention", uniform), ("the examples’ questions", questions))
        if turned(case, sinks, e, above_zero)
    ]
    sentence += _without_found(case, sinks, [uniform, questions], turning)
    sentence += _by_variant(pairs) + _with_sinks(raw) + by_layer(uniform)
    needed = Needed()
    if status in ("INCONCLUSIVE", "DESCRIPTIVE") and not opposed:
        needed = Needed((one_answer(sinks),))
        if not turning:
            open_ = [e for e in (uniform, questions) if above_zero(e) not in ("YES", "NO")]
            needed = units_needed(open_[0], case.texts.unit, 0.0)
    twins = [e for e in (twin(case, one) for one in known) if e is not None] if sinks else []
    return case.answer(
        status, sentence, [*known, *twins, *raw, *sinks], effect=uniform, **needed.fields(case)
    )


def _family(case: Case, family: str) -> list[Evidence]:
    found = case.of_model("contrast")
    return [e for e in found if e.row["family"] == family and e.row["layer"] is None]


def _against_both(case: Case) -> dict[str, Pair]:
    """Return variant → answers against uniform, and against the examples' questions.

    The last one, where several variants have examples, is all of them together.
    """
    own = [
        e
        for e in _family(case, "examples")
        if e.row["measure"] == OFF_SINKS and e.row["span"] == ANSWERS
    ]
    by = {(e.row["a"], e.row["b"]): e for e in own}
    names = (*case.texts.variants, EXAMPLES)
    variants = [v for v in names if any(e.row["a"] == v for e in own)]
    return {v: (by.get((v, UNIFORM)), by.get((v, QUESTIONS))) for v in variants}


def _without_found(
    case: Case, sinks: Sequence[Evidence], pair: Sequence[Evidence], turning: list[str]
) -> str:
    """Tell the two differences without found sinks, and which of them turns on these."""
    told = without(case, sinks, pair)
    if not told:
        return ""
    return (
        f"{told}: what is said against {listed(turning)} turns on these sinks."
        if turning
        else f"{told}."
    )


def _drawn(
    case: Case, sinks: Sequence[Evidence], uniform: Evidence | None, questions: Evidence | None
) -> Status:
    """Return YES if both are shown, NO if the opposite of one is, else what is not settled."""
    if uniform is None or questions is None:
        return "INCONCLUSIVE"
    answers = [agreed(case, sinks, e, above_zero) for e in (uniform, questions)]
    if "NO" in answers:
        return "NO"
    if answers == ["YES", "YES"]:
        return "YES"
    return "DESCRIPTIVE" if "DESCRIPTIVE" in answers else "INCONCLUSIVE"


def _over(pairs: Mapping[str, Pair]) -> str:
    return f", mean over {listed(list(pairs))}" if len(pairs) > 1 else ""


def _told(answers: Mapping[str, Status], status: Status) -> str:
    """Say what the answer is, and whether single variants say so, too."""
    said = {
        "YES": "they draw attention",
        "NO": "they do not draw attention, but get less than one of the two",
    }.get(status, "not settled")
    found = set(answers.values())
    if found == {"DESCRIPTIVE"}:
        return "too few to test it"
    if len(answers) == 1 or found == {"INCONCLUSIVE"} == {status}:
        return said
    if found == {status}:
        return f"{said} in every variant"
    by = {s: [v for v, a in answers.items() if a == s] for s in ("YES", "NO")}
    told = [
        f"{word} in {listed(by[s])}" for s, word in (("YES", "shown"), ("NO", "refuted")) if by[s]
    ]
    rest = len(answers) - sum(map(len, by.values()))
    told += [f"not settled in {rest} of {len(answers)}"] if rest else []
    opposed = by["YES"] and by["NO"]
    return f"{'it depends on their number' if opposed else said}; alone {', '.join(told)}"


def _by_variant(pairs: Mapping[str, Pair]) -> str:
    """Tell each variant's differences, where there are several."""
    if len(pairs) < 2:
        return ""
    told = [
        f"{variant} {' and '.join(signed(e) for e in pair if e is not None)}"
        for variant, pair in pairs.items()
    ]
    return f" By variant, exploratory: {'; '.join(told)}."


def _with_sinks(raw: Sequence[Evidence]) -> str:
    """Tell the same with sinks, of all variants together or the only one."""
    whole = [e for e in raw if e.row["a"] == EXAMPLES] or list(raw)
    return f" With sinks, less 1: {signed(whole[0])}." if whole else ""


def _range(evidence: list[Evidence]) -> str:
    """Return a signed difference, or the range over variants."""
    if len(evidence) == 1:
        return signed(evidence[0])
    values = [e.estimate for e in evidence if e.estimate is not None]
    return between(min(values), max(values), sign=True) if values else "unknown"


def shots(case: Case) -> Finding | None:
    """YES: some step to more examples changes the mass on all their answers beyond the margin.

    Without the sinks that the weights show, too.
    """
    if case.texts.kind != "prompts":
        return None
    steps, relative, raw = (
        [e for e in _family(case, "shots") if e.row["measure"] == m] for m in (MASS, OFF_SINKS, RAW)
    )
    if not steps:
        return case.lacking(
            "There are no two numbers of examples to compare.",
            ["variants with different numbers of worked examples"],
        )
    margin, thing = case.texts.mass_margin, case.texts.unit
    judge = partial(changed, margin=margin)
    sinks = undeclared(case, {str(e.row[side]) for e in steps for side in ("a", "b")})
    answers = [agreed(case, sinks, e, judge) for e in steps]
    turning = [e for e in steps if turned(case, sinks, e, judge)]
    status = any_of(answers)
    told = "; ".join(
        f"{e.row['a']} against {e.row['b']} {signed(e)} {sample(e, thing)}{_meant(a, e)}"
        for e, a in zip(steps, answers, strict=True)
    )
    sentence = f"Mass on all examples’ answers together, of the weight off the sinks: {told}."
    if sinks:
        turn = [f"{e.row['a']} against {e.row['b']}" for e in turning]
        sentence += without(case, sinks, steps)
        sentence += f": {listed(turn)} turns on these sinks." if turn else "."
    if relative:
        sentence += f" Relative to uniform attention it changes by {_range(relative)}."
    if raw:
        sentence += f" With sinks: {_range(raw)}."
    open_ = [e for e, a in zip(steps, answers, strict=True) if a not in ("YES", "NO")]
    needed = Needed()
    if status in ("INCONCLUSIVE", "DESCRIPTIVE"):
        more = units_needed(open_[0], thing, margin, -margin)
        needed = Needed((one_answer(sinks),)) if open_[0] in turning else more
    largest = max(steps, key=lambda e: abs(e.estimate or 0.0))
    twins = [e for e in (twin(case, one) for one in steps) if e is not None] if sinks else []
    evidence = [*steps, *twins, *relative, *raw, *sinks]
    return case.answer(status, sentence, evidence, effect=largest, **needed.fields(case))


def _meant(answer: Status, evidence: Evidence) -> str:
    said = {"YES": f", {direction(evidence)}", "NO": ", no practical difference"}
    return said.get(answer, ", not settled")
