"""Whether a part of the input would do."""

from dataclasses import dataclass

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import ENOUGH
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.words import estimate, number, percent

SELECTION, ORACLE = "selection", "top_attention"
UNCONFIRMED = "more test units: the choice is not confirmed on the untouched split"
SAYS = {
    "recent": "the newest {share} of the tokens",
    "sink_recent": "the first and the newest tokens, {share} of them",
    "uniform": "every so many tokens, {share} of them",
    "static_top": "the {share} of places that attention prefers on average",
    "random": "{share} of the tokens, drawn at random",
    "top_attention": "the {share} of tokens that the last one attends to most",
}
NO_SKILL = "positive skill, of which a cost can be a share"


def compression(case: Case) -> Finding | None:
    """YES: a policy keeps the loss within δ, on the untouched split too; NO: all cost more.

    With several variants of a prompt, each has its answer, and they must agree.
    """
    found = case.of_model("compression")
    if not found:
        return None
    variants = dict.fromkeys(e.row["variant"] for e in found)
    told = [_variant(case, [e for e in found if e.row["variant"] == v], v) for v in variants]
    answers = {answer.status for answer in told}
    status: Status = answers.pop() if len(answers) == 1 else "DESCRIPTIVE"
    cited = [e for answer in told for e in answer.cited]
    missing = list(dict.fromkeys(answer.missing for answer in told if answer.missing))
    sentence = " ".join(answer.said for answer in told) + (
        " Costs are shares of the model's skill; tokens that are left keep their positions."
    )
    effect = cited[0] if len(told) == 1 else None
    if status == "INCONCLUSIVE":
        return case.lacking(sentence, missing, cited, effect=effect)
    return case.answer(status, sentence, cited, effect=effect, missing=missing)


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
    tried = {(e.row["policy"], e.row["budget"]): e for e in kept if e.row["split"] != SELECTION}
    selection = [e for e in kept if e.row["split"] == SELECTION]
    known = [e for e in selection if e.estimate is not None]
    if not known:
        return _Answer("INCONCLUSIVE", f"{where}No cost could be told.", selection, NO_SKILL)
    oracle = _confirmed(kept, oracle=True)
    moved = _confirmed([e for e in found if e.row["reindexed"]], oracle=False)
    aside = ""
    if oracle is not None:
        aside += f" An oracle that knows attention could do with {_what(oracle)}."
    if moved is not None:
        aside += f" Moved together, {_what(moved)} would do ({estimate(moved)})."
    beside = [e for e in (oracle, moved) if e is not None]
    few = _few_seeds(case, known[0])
    first = next((e for e in known if e.facts["chosen"]), None)
    if first is None:
        return _nothing(where, known, aside, beside, few)
    second = tried.get((first.row["policy"], first.row["budget"]))
    cited = [first, *([second] if second is not None else []), *beside]
    said = (
        f"{where}{_what(first).capitalize()} will do: cost {estimate(first)}, at most "
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
    where: str, known: list[Evidence], aside: str, beside: list[Evidence], few: str
) -> _Answer:
    """Advise against it: NO if every policy is shown to cost more than δ, else it is open."""
    own = [e for e in known if e.row["policy"] != ORACLE] or known
    best = min(own, key=lambda e: e.estimate or 0.0)
    costly = all(e.facts["costly"] for e in own)
    said = "all policies cost more" if costly else "no policy is shown to stay within δ"
    sentence = f"{where}Do not compress: {said}; the least, {_what(best)}, costs {estimate(best)}."
    cited = [best, *beside]
    if few:
        return _Answer("DESCRIPTIVE", sentence + aside, cited, few)
    if costly:
        return _Answer("NO", sentence + aside, cited)
    return _Answer("INCONCLUSIVE", sentence + aside, cited, "more test units: bounds are wide")


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
    own = [e for e in evidence if (e.row["policy"] == ORACLE) == oracle and e.facts["within"]]
    both = {(e.row["policy"], e.row["budget"]) for e in own if e.row["split"] != SELECTION}
    fit = [
        e for e in own
        if e.row["split"] == SELECTION and (e.row["policy"], e.row["budget"]) in both
    ]  # fmt: skip
    order = list(SAYS)
    return min(
        fit, key=lambda e: (float(str(e.row["budget"])), order.index(str(e.row["policy"]))),
        default=None,
    )  # fmt: skip


def _what(evidence: Evidence) -> str:
    share = percent(float(str(evidence.row["budget"])))
    return SAYS[str(evidence.row["policy"])].format(share=share)
