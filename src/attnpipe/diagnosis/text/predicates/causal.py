"""Questions that only interventions can answer."""

from collections.abc import Sequence

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import gate
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.needed import Needed, together, units_needed
from attnpipe.diagnosis.text.words import extent, sample, signed
from attnpipe.diagnosis.verdicts.advice import NAMES
from attnpipe.diagnosis.verdicts.gates import evidence_of, gate_of, gate_rows
from attnpipe.diagnosis.words import estimate

ABOUT = ("steps", "examples", "sensitive_layers")
"""Findings that describe what prompts change."""
SAYS = {
    "E2": "equal weights",
    "E3": "the mean row of the position in at most 16 other texts",
    "E4": "rows of other questions",
}
OUTPUT = (
    "what the answers lose without the output of attention (E1), which is not measured in language "
    "models"
)
ANSWERED: dict[Status, str] = {
    "YES": "more than δ", "NO": "less than δ", "INCONCLUSIVE": "undecided",
    "DESCRIPTIVE": "too few questions to test it",
}  # fmt: skip


def used(case: Case) -> Finding:
    """YES: answers lose more than δ with equal weights in all layers; NO would need E1, too."""
    found = evidence_of(case)
    if "E2" not in found:
        ids = [key("metric", case.name, v, "last", "entropy_normalized") for v in _variants(case)]
        shape = [case.book[i] for i in ids if i in case.book]
        known = f" (entropy {extent(shape)} of ln n)" if shape else ""
        return case.lacking(
            f"Where the last row looks{known} does not show whether the output depends on it.",
            _absent(case, "E2"),
            shape,
        )
    return _judge(case, found, ["E2"], OUTPUT)


def content(case: Case) -> Finding | None:
    """YES: mean rows of the position, and rows of other questions, cost more than δ; NO: less."""
    found = {c: e for c, e in evidence_of(case).items() if c in ("E3", "E4")}
    return _judge(case, found, ["E3", "E4"], None) if len(found) == 2 else None


def _judge(
    case: Case, found: dict[str, Evidence], codes: Sequence[str], open_if_no: str | None
) -> Finding:
    delta, told = case.context.delta, case.book.get(key("told", case.name))
    told_anything = told is not None and gate(told, 0.0) in ("YES", "DESCRIPTIVE")
    answers = {code: gate_of(code, found[code], delta) for code in codes}
    said = "; ".join(f"{SAYS[c]} {signed(found[c])} ({c}, {ANSWERED[answers[c]]})" for c in codes)
    layers = [e for c in codes for e in _layers(case, c)]
    worst = max(layers, key=lambda e: e.estimate or 0.0, default=None)
    sentence = (
        "What the answers lose, in units of what the question tells of its answer "
        f"{sample(found[codes[0]], 'question')}: {said}."
    )
    if worst is not None:
        sentence += (
            f" Of the groups of layers, {worst.row['layers']} cost most: {signed(worst)} "
            f"(exploratory)."
        )
    cited = [*(found[c] for c in codes), *([told] if told else []), *layers]
    effect = found[codes[0]]
    if not told_anything:
        known = "" if told is None else f" ({estimate(told)} nats)"
        sentence = (
            f"It is not shown that the model gets anything from the question{known}: "
            f"there is nothing to lose. {sentence}"
        )
        missing = ["questions that the model can answer"]
        return case.lacking(sentence, missing, cited, effect=effect)
    kinds = set(answers.values())
    if kinds == {"YES"} or (kinds == {"NO"} and open_if_no is None):
        return case.answer(answers[codes[0]], sentence, cited, effect=effect)
    if kinds == {"NO"} and open_if_no is not None:
        return case.lacking(sentence, [open_if_no], cited, effect=effect)
    if kinds == {"DESCRIPTIVE"}:
        needed = units_needed(effect, "question", delta)
        return case.answer("DESCRIPTIVE", sentence, cited, effect=effect, **needed.fields(case))
    open_codes = [c for c in codes if answers[c] == "INCONCLUSIVE"]
    needed = together(units_needed(found[c], "question", delta) for c in open_codes)
    if not open_codes:
        sentence += " They do not agree."
        needed = Needed(("one answer: mean rows and those of other questions differ",))
    return case.answer("INCONCLUSIVE", sentence, cited, effect=effect, **needed.fields(case))


def verdict(case: Case) -> Finding:
    """INVALID if the capture is; else undecided: a pretrained model has no retrained arms."""
    captured = case.found.get("capture")
    if captured is not None and captured.status == "NO":
        sentence = "The captured weights are invalid: nothing can be said of them."
        cited = [case.book[i] for i in captured.evidence]
        return case.answer("INVALID", sentence, cited, missing=["a repaired capture"])
    found = evidence_of(case)
    told = [case.found[p] for p in (*ABOUT, "used", "content") if p in case.found]
    cited = [case.book[i] for finding in told for i in finding.evidence]
    if not found:
        return case.lacking(
            "What prompts change in attention does not show that attention changes the answers: "
            "causal evidence is missing.",
            _absent(case, *SAYS),
            cited,
        )
    use = {p: case.found[p].status for p in ("used", "content") if p in case.found}
    sentence = _said(use.get("used"), use.get("content")) + (
        "Whether a model without it would do as well needs models trained anew, which a pretrained "
        "model does not have."
    )
    return case.lacking(
        sentence,
        ["R0 and R1: models trained without attention and with equal weights, on the same data"],
        cited,
        effect=found.get("E2"),
        gates=[g for g in gate_rows(case, found, case.context.delta) if g.evidence is not None],
    )


def _said(used: Status | None, content: Status | None) -> str:
    """Return what is shown of a pretrained model, with a blank behind it; empty if nothing is."""
    if used == "YES":
        more = {
            "YES": ", and on what they look at, not on positions alone",
            "NO": ", which need not depend on the content",
        }.get(content or "", "")
        return f"The answers rest on the unequal weights of attention{more}. "
    if content == "YES":
        return "The answers rest on what attention looks at. "
    return ""


def _variants(case: Case) -> Sequence[str]:
    return case.texts.variants


def _layers(case: Case, code: str) -> list[Evidence]:
    start = key("causal_layers", case.name, code) + "."
    return [e for i, e in case.book.items() if i.startswith(start) and e.estimate is not None]


def _absent(case: Case, *codes: str) -> list[str]:
    """Say what was not measured, and what measures it: only questions have answers to lose."""
    asked = case.texts.kind == "prompts"
    how = {c: f" ({NAMES[c]} in analysis.text.answers.interventions)" for c in codes}
    return [
        f"{code}: what answers lose with {SAYS[code]}{how[code] if asked else ', asked in prompts'}"
        for code in codes
        if f"causal.{case.name}.{code}" not in case.book
    ]
