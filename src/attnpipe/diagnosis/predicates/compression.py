"""Whether a part of the input would do."""

from dataclasses import dataclass

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import ENOUGH
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.diagnosis.words import estimate, number, percent

SELECTION, ORACLE = "selection", "top_attention"
UNCONFIRMED = "more test units: the choice is not confirmed on the untouched split"
SAYS = {
    "recent": "the newest {share} of the {things}",
    "sink_recent": "the first and the newest {things}, {share} of them",
    "uniform": "every so many {things}, {share} of them",
    "static_top": "the {share} of places that attention prefers on average",
    "random": "{share} of the {things}, drawn at random",
    "top_attention": "the {share} of {things} that the last one attends to most",
}
NO_SKILL = "positive skill, of which a cost can be a share"
MEASURE = "compression.windows=true"
POLICIES = f"compression.policies=[{','.join(SAYS)}]"


def compression(case: Case) -> Finding | None:
    """YES: a policy keeps the loss within δ, on the untouched split too; NO: all cost more.

    With several variants of a prompt, each has its answer, and they must agree. Of models
    that read windows it is only measured on request.
    """
    found = case.of_model("compression")
    if not found:
        return _not_measured(case)
    variants = dict.fromkeys(e.row["variant"] for e in found)
    told = [_variant(case, [e for e in found if e.row["variant"] == v], v) for v in variants]
    answers = {answer.status for answer in told}
    status: Status = answers.pop() if len(answers) == 1 else "DESCRIPTIVE"
    cited = [e for answer in told for e in answer.cited]
    missing = list(dict.fromkeys(answer.missing for answer in told if answer.missing))
    things = _things(case)
    placed = any(e.row["reindexed"] for e in found)
    left = "keep their positions" if placed else "are read one after the other"
    sentence = " ".join(answer.said for answer in told) + (
        f" Costs are shares of the model's skill; {things} that are left {left}."
    )
    effect = cited[0] if len(told) == 1 else None
    few = [e for e in cited if _few_seeds(case, e)]
    overrides = settling_seeds(case, few[0]) if status == "DESCRIPTIVE" and few else []
    if status == "INCONCLUSIVE":
        return case.lacking(sentence, missing, cited, effect=effect)
    return case.answer(
        status, sentence, cited, effect=effect, missing=missing, next_overrides=overrides
    )


def _not_measured(case: Case) -> Finding | None:
    """Say how to have it measured; of weights alone, and of plain sentences, nothing is asked."""
    prompts = case.context.texts is not None and case.context.texts.kind == "prompts"
    if prompts or (case.forecasts and _things(case) == "tokens"):
        sentence = (
            f"What it would cost {case.label} to read a part of its input was not measured: it is "
            "done where models read from left to right and policies are named."
        )
        missing = [f"losses of shortened inputs: {POLICIES}"]
        return case.lacking(sentence, missing, case.of_model("run"), next_overrides=[POLICIES])
    if not case.forecasts:
        return None
    sentence = (
        f"What it would cost {case.label} to read a part of each window was not measured: it "
        "takes about as long as the interventions, and is done on request."
    )
    missing = [f"losses of shortened windows: {MEASURE}"]
    return case.lacking(sentence, missing, case.of_model("run"), next_overrides=[MEASURE])


def _things(case: Case) -> str:
    """Return what is read: tokens, or steps of a window."""
    scores = case.of_model("tokens")
    return "tokens" if scores or case.context.texts is not None else "steps"


@dataclass(frozen=True)
class _Answer:
    """What is said of one variant; the first evidence cited decides."""

    status: Status
    said: str
    cited: list[Evidence]
    missing: str = ""


def _variant(case: Case, found: list[Evidence], variant: object) -> _Answer:
    where = f"{variant}: " if variant is not None else ""
    kept = [e for e in found if not e.row["reindexed"]]
    whole = [e for e in kept if _budget(e) == 1 and e.facts["chosen"]]
    tried = {(e.row["policy"], e.row["budget"]): e for e in kept if e.row["split"] != SELECTION}
    selection = [e for e in kept if e.row["split"] == SELECTION]
    known = [e for e in selection if e.estimate is not None]
    if not known:
        return _Answer("INCONCLUSIVE", f"{where}No cost could be told.", selection, NO_SKILL)
    oracle = _confirmed(kept, oracle=True)
    moved = _confirmed([e for e in found if e.row["reindexed"]], oracle=False)
    aside = ""
    if oracle is not None:
        aside += f" An oracle that knows attention could do with {_what(case, oracle)}."
    if moved is not None:
        aside += f" Moved together, {_what(case, moved)} would do ({estimate(moved)})."
    beside = [e for e in (oracle, moved) if e is not None]
    few = _few_seeds(case, known[0])
    first = next((e for e in known if e.facts["chosen"] and _budget(e) < 1), None)
    if first is None:
        beside += whole
        return _nothing(case, where, known, aside, beside, few)
    second = tried.get((first.row["policy"], first.row["budget"]))
    cited = [first, *([second] if second is not None else []), *beside]
    said = (
        f"{where}{_what(case, first).capitalize()} will do: cost {estimate(first)}, at most "
        f"{number(_upper(first))} with all policies and budgets tried"
    )
    if second is None or second.estimate is None:
        return _Answer("INCONCLUSIVE", f"{said}; not tried on the untouched split.{aside}", cited,
                       UNCONFIRMED)  # fmt: skip
    said += f"; on the untouched split {estimate(second)}, at most {number(_upper(second))}"
    if not second.facts["within"]:
        return _Answer(
            "INCONCLUSIVE", f"{said}, which does not confirm it.{aside}", cited, UNCONFIRMED
        )
    if few:
        return _Answer("DESCRIPTIVE", f"{said}; {case.untested}{aside}", cited, few)
    return _Answer("YES", f"{said}.{aside}", cited)


def _nothing(
    case: Case, where: str, known: list[Evidence], aside: str, beside: list[Evidence], few: str
) -> _Answer:
    """Advise against it: NO if every policy is shown to cost more than δ, else it is open."""
    shorter = [e for e in known if _budget(e) < 1] or known
    own = [e for e in shorter if e.row["policy"] != ORACLE] or shorter
    best = min(own, key=lambda e: e.estimate or 0.0)
    costly = all(e.facts["costly"] for e in own)
    said = "all policies cost more" if costly else "no policy is shown to stay within δ"
    sentence = (
        f"{where}Do not compress: {said}; the least, {_what(case, best)}, costs {estimate(best)}."
    )
    cited = [best, *beside]
    if few:
        return _Answer("DESCRIPTIVE", sentence + aside, cited, few)
    if costly:
        return _Answer("NO", sentence + aside, cited)
    unbounded = all(_upper(e) is None for e in own)
    missing = "bounds are wide" if not unbounded else "skill is not clearly above 0"
    return _Answer("INCONCLUSIVE", sentence + aside, cited, f"more test units: {missing}")


def _few_seeds(case: Case, evidence: Evidence) -> str:
    """Name the seeds that are missing, for models that have several."""
    if evidence.n_seeds is None or evidence.n_seeds >= ENOUGH:
        return ""
    return "; ".join(case.few_seeds(evidence))


def _upper(evidence: Evidence) -> float | None:
    upper = evidence.facts["upper"]
    return upper if isinstance(upper, float) else None


def _confirmed(evidence: list[Evidence], *, oracle: bool) -> Evidence | None:
    """Return the cheapest input that lies within δ on both splits, as the first saw it."""
    own = [
        e for e in evidence
        if (e.row["policy"] == ORACLE) == oracle and e.facts["within"] and _budget(e) < 1
    ]  # fmt: skip
    both = {(e.row["policy"], e.row["budget"]) for e in own if e.row["split"] != SELECTION}
    fit = [
        e for e in own
        if e.row["split"] == SELECTION and (e.row["policy"], e.row["budget"]) in both
    ]  # fmt: skip
    order = list(SAYS)
    return min(
        fit, key=lambda e: (_budget(e), order.index(str(e.row["policy"]))),
        default=None,
    )  # fmt: skip


def _what(case: Case, evidence: Evidence) -> str:
    return SAYS[str(evidence.row["policy"])].format(
        share=percent(_budget(evidence)), things=_things(case)
    )


def _budget(evidence: Evidence) -> float:
    return float(str(evidence.row["budget"]))
