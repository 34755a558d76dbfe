"""Whether worked examples draw attention to their answers, and more examples more."""

from attnpipe.aggregation.text.names import ANSWERS, QUESTIONS
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.text.decide import above_zero, any_of, changed, units_needed
from attnpipe.diagnosis.text.names import UNIFORM
from attnpipe.diagnosis.text.words import (
    between,
    by_layer,
    direction,
    sample,
    signed,
    size,
    units,
)
from attnpipe.diagnosis.words import listed

MASS, OFF_SINKS, RAW = "mass_sinks_removed", "mass_relative_sinks_removed", "mass"
"""Sinks are left out: beside them, most other tokens lie below uniform."""


def examples(case: Case) -> Finding | None:
    """YES: with any examples, their answers get more than uniform, and than their questions.

    Compared is relative mass without sinks, over all layers and heads.
    """
    if case.texts.kind != "prompts":
        return None
    pairs = _against_both(case)
    if not pairs:
        return case.lacking(
            "No prompt has examples whose answers could be attended to.",
            ["variants with worked examples (data.shots above 0)"],
        )
    plain = [e for e in _family(case, "examples") if e.row["measure"] == "mass_relative"]
    raw = [e for e in plain if e.row["b"] == UNIFORM]
    evidence = [e for pair in pairs.values() for e in pair if e is not None] + raw
    answers = {variant: _drawn(*pair) for variant, pair in pairs.items()}
    status = _agreed(list(answers.values()))
    uniform = [u for u, _ in pairs.values() if u is not None]
    questions = [q for _, q in pairs.values() if q is not None]
    first = uniform[0] if uniform else evidence[0]
    sentence = (
        "Relative mass on the examples’ answers (sinks left out), less the 1 of uniform attention: "
        f"{_range(uniform)}; less that on the examples’ questions: {_range(questions)} "
        f"{units(first, case.texts.unit)}: {_told(answers, status)}."
    )
    if raw:
        sentence += f" With sinks, less 1: {_range(raw)}."
    undecided = [v for v, a in answers.items() if a in ("INCONCLUSIVE", "DESCRIPTIVE")]
    missing = []
    if status in ("INCONCLUSIVE", "DESCRIPTIVE") and undecided:
        missing = _missing(case, undecided[0], pairs[undecided[0]])
    layers = by_layer(first) if len(pairs) == 1 else ""
    return case.answer(status, sentence + layers, evidence, missing=missing, **size(uniform))


def _family(case: Case, family: str) -> list[Evidence]:
    found = case.of_model("contrast")
    return [e for e in found if e.row["family"] == family and e.row["layer"] is None]


def _against_both(case: Case) -> dict[str, tuple[Evidence | None, Evidence | None]]:
    """Return variant → answers against uniform, and against the examples' questions."""
    own = [
        e
        for e in _family(case, "examples")
        if e.row["measure"] == OFF_SINKS and e.row["span"] == ANSWERS
    ]
    by = {(e.row["a"], e.row["b"]): e for e in own}
    variants = [v for v in case.texts.variants if any(e.row["a"] == v for e in own)]
    return {v: (by.get((v, UNIFORM)), by.get((v, QUESTIONS))) for v in variants}


def _drawn(uniform: Evidence | None, questions: Evidence | None) -> Status:
    """Return YES if both are shown, NO if the opposite of one is, else what is not settled."""
    if uniform is None or questions is None:
        return "INCONCLUSIVE"
    answers = [above_zero(uniform), above_zero(questions)]
    if "NO" in answers:
        return "NO"
    if answers == ["YES", "YES"]:
        return "YES"
    return "DESCRIPTIVE" if "DESCRIPTIVE" in answers else "INCONCLUSIVE"


def _agreed(answers: list[Status]) -> Status:
    """Return what all variants say; where they are settled but differ, it is described."""
    if len(set(answers)) == 1:
        return answers[0]
    return "INCONCLUSIVE" if "INCONCLUSIVE" in answers else "DESCRIPTIVE"


def _told(answers: dict[str, Status], status: Status) -> str:
    if status == "YES":
        return "they draw attention" + (" in every variant" if len(answers) > 1 else "")
    if status == "NO":
        return "they do not draw attention, but get less than one of the two"
    by = {s: [v for v, a in answers.items() if a == s] for s in ("YES", "NO")}
    told = [
        f"{word} in {listed(by[s])}" for s, word in (("YES", "shown"), ("NO", "refuted")) if by[s]
    ]
    rest = len(answers) - sum(map(len, by.values()))
    if "DESCRIPTIVE" in answers.values():
        told.append("too few to test it" if not told else f"{rest} not tested")
    elif rest:
        told.append("not settled" + (f" in {rest} of {len(answers)}" if told else ""))
    return ", ".join(told)


def _range(evidence: list[Evidence]) -> str:
    """Return a signed difference, or the range over variants."""
    if len(evidence) == 1:
        return signed(evidence[0])
    values = [e.estimate for e in evidence if e.estimate is not None]
    return between(min(values), max(values), sign=True) if values else "unknown"


def _missing(case: Case, variant: str, pair: tuple[Evidence | None, Evidence | None]) -> list[str]:
    absent = [n for n, e in zip((UNIFORM, QUESTIONS), pair, strict=True) if e is None]
    if absent:
        return [f"{variant} against {name}" for name in absent]
    open_ = [e for e in pair if e is not None and above_zero(e) != "YES"]
    return units_needed(open_[0], case.texts.unit, 0.0)


def shots(case: Case) -> Finding | None:
    """YES: some step to more examples changes the mass on all their answers beyond the margin."""
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
    answers = [changed(e, margin) for e in steps]
    status = any_of(answers)
    told = "; ".join(
        f"{e.row['a']} against {e.row['b']} {signed(e)} {sample(e, thing)}{_meant(a, e)}"
        for e, a in zip(steps, answers, strict=True)
    )
    sentence = f"Mass on all examples’ answers together, of the weight off the sinks: {told}."
    if relative:
        sentence += f" Relative to uniform attention it changes by {_range(relative)}."
    if raw:
        sentence += f" With sinks: {_range(raw)}."
    open_ = [e for e, a in zip(steps, answers, strict=True) if a not in ("YES", "NO")]
    missing = []
    if status in ("INCONCLUSIVE", "DESCRIPTIVE"):
        missing = units_needed(open_[0], thing, margin, -margin)
    largest = max(steps, key=lambda e: abs(e.estimate or 0.0))
    return case.answer(status, sentence, [*steps, *relative, *raw], effect=largest, missing=missing)


def _meant(answer: Status, evidence: Evidence) -> str:
    said = {"YES": f", {direction(evidence)}", "NO": ", no practical difference"}
    return said.get(answer, ", not settled")
