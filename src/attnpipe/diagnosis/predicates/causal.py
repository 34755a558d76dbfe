"""Questions that only interventions and retrained models can answer."""

from collections.abc import Mapping, Sequence

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import undecided_between
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.verdicts.advice import next_runs
from attnpipe.diagnosis.verdicts.gates import (
    ARMS,
    INTERVENTIONS,
    evidence_of,
    gate_of,
    left_after_finetune,
    no_share,
)
from attnpipe.diagnosis.words import estimate, finetune, sample, span

CODES = INTERVENTIONS | ARMS
WHOLE = 0.9
"""Share of the skill from which on E1 takes practically all of it."""
ONLY_WAY = (
    "E1 costs practically all skill, as it does where attention is the only way from the input "
    "to the forecast: it then shows that the module is used, and E2 whether weights are."
)
NO_SKILL = (
    "It was measured in the unit of the loss, but the model has no skill of which it could be a "
    "share."
)
SAYS: Mapping[str, str] = {
    "E1": "output replaced by its mean",
    "E2": "equal weights",
    "E3": "the mean row of the position",
    "E4": "rows of other samples",
    "R0": "over a model trained without attention",
    "R1": "over one trained with equal weights",
    "R2": "over one trained with weights per position",
}
UNDECIDED: Mapping[Status, str] = {
    "INCONCLUSIVE": "undecided",
    "DESCRIPTIVE": "too few seeds to test it",
}
COST: Mapping[Status, str] = {"YES": "more than δ", "NO": "less than δ", **UNDECIDED}
ADVANTAGE: Mapping[Status, str] = {
    "YES": "better by more than δ",
    "NO": "no practical difference",
    "HARM": "worse by more than δ",
    **UNDECIDED,
}


def used(case: Case) -> Finding:
    """YES: without its output, or with equal weights, the loss grows by more than δ."""
    shape = case.metric("kl_uniform")
    known = f" ({span(shape, ' nats')} from uniform)" if _known(shape) else ""
    found = _judge(
        case,
        ("E1", "E2"),
        f"How weights look{known} does not show whether the forecast depends on them.",
        shape,
    )
    output = case.book.get(f"causal.{case.name}.E1")
    if output is None or output.estimate is None or output.estimate < WHOLE:
        return found
    return found.model_copy(update={"sentence": f"{found.sentence} {ONLY_WAY}"})


def content(case: Case) -> Finding:
    """YES: mean rows of the position, and rows of other samples, cost more than δ."""
    share = case.metric("content_share")
    return _judge(
        case,
        ("E3", "E4"),
        "How far weights vary with the content does not show whether it matters.",
        share,
    )


def benefit(case: Case) -> Finding:
    """YES: models trained without attention, and with equal weights, are worse by more than δ."""
    gain = case.book.get(f"gain.{case.name}.skill_units")
    return _judge(
        case,
        ("R0", "R1", "R2"),
        "Whether attention is needed, only models trained without it can show.",
        [] if gain is None else [gain],
        decide=("R0", "R1"),
    )


def _judge(
    case: Case,
    codes: Sequence[str],
    otherwise: str,
    described: Sequence[Evidence],
    decide: Sequence[str] | None = None,
) -> Finding:
    """Answer from the gates: YES or NO if all that decide agree."""
    deciding = decide or codes
    found = {code: e for code, e in evidence_of(case).items() if code in codes}
    absent = [code for code in deciding if code not in found]
    overrides, missing = next_runs(case, found, absent)
    if not found:
        effect = described[0] if described else None
        without_unit = [case.book[f"causal.{case.name}.{c}"] for c in no_share(case, codes)]
        sentence = NO_SKILL if without_unit and not overrides else otherwise
        cited = [*described, *without_unit]
        return case.lacking(sentence, missing, cited, effect=effect, next_overrides=overrides)
    delta = case.context.delta
    answers = {code: gate_of(code, e, delta) for code, e in found.items()}
    of_arms = codes[0] in ARMS
    words = ADVANTAGE if of_arms else COST
    after = {code: known for code in found if (known := left_after_finetune(case, code))}
    said = "; ".join(
        f"{SAYS[code]} {estimate(e, sign=True)} ({code}, {words[answers[code]]})"
        + (_made_up_for(case, *after[code]) if code in after else "")
        for code, e in found.items()
    )
    what = "Advantage" if of_arms else "Cost"
    size = sample(next(iter(found.values())))
    sentence = f"{what} in units of the model's skill {size}: {said}."
    harmful = [e for code, e in found.items() if code in deciding and answers[code] == "HARM"]
    if harmful:  # one better model without it is enough
        return case.answer("HARM", sentence, found.values(), effect=harmful[0])
    kinds = {answers[code] for code in deciding if code in answers}
    left = [evidence for evidence, _ in after.values()]
    cited = [*found.values(), *left, *described]
    if absent or len(kinds) > 1 or kinds & {"INCONCLUSIVE"}:
        open_gates = [
            c for c in deciding if answers.get(c, "INCONCLUSIVE") not in ("YES", "NO", "HARM")
        ]
        overrides, missing = next_runs(case, found, open_gates)
        if not open_gates:
            sentence += " They do not agree."
            missing = [undecided_between(deciding)]
        return case.lacking(
            sentence, missing, cited, effect=found.get(deciding[0]), next_overrides=overrides
        )
    rests_on = [*found.values(), *left]
    return case.answer(kinds.pop(), sentence, rests_on, effect=found[deciding[0]])


def _made_up_for(case: Case, left: Evidence, status: Status) -> str:
    share = finetune(case.context.finetune)
    return f", after a {share} {estimate(left, sign=True)} ({COST[status]})"


def _known(evidence: Sequence[Evidence]) -> bool:
    return bool(evidence) and all(e.estimate is not None for e in evidence)
