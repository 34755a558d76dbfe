"""Whether a part of the input would do."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.words import estimate, number, percent

SAYS = {
    "recent": "the newest {share} of the tokens",
    "sink_recent": "the first and the newest tokens, {share} of them",
    "uniform": "every so many tokens, {share} of them",
    "static_top": "the {share} of places that attention prefers on average",
    "random": "{share} of the tokens, drawn at random",
    "top_attention": "the {share} of tokens that the last one attends to most",
}
KEPT_WHOLE = "Do not compress"


def compression(case: Case) -> Finding | None:
    """YES: a policy keeps the loss within δ, on the untouched split too; NO: none does.

    With several variants of a prompt, each has its answer, and they must agree.
    """
    found = case.of_model("compression")
    if not found:
        return None
    variants = dict.fromkeys(e.row["variant"] for e in found)
    told = [_variant([e for e in found if e.row["variant"] == v], v) for v in variants]
    answers = {status for status, *_ in told}
    status: Status = answers.pop() if len(answers) == 1 else "DESCRIPTIVE"
    cited = [e for *_, own in told for e in own]
    sentence = " ".join(said for _, said, _ in told) + (
        " Costs are shares of the model's skill; tokens that are left keep their positions."
    )
    effect = cited[0] if len(told) == 1 else None
    if status == "INCONCLUSIVE":
        missing = ["more test units: the choice is not confirmed on the untouched split"]
        return case.lacking(sentence, missing, cited, effect=effect)
    return case.answer(status, sentence, cited, effect=effect)


def _variant(found: list[Evidence], variant: object) -> tuple[Status, str, list[Evidence]]:
    """Return answer, sentence and evidence of one variant."""
    where = f"{variant}: " if variant is not None else ""
    chosen = {e.row["split"]: e for e in found if e.facts["chosen"]}
    whole = [e for e in found if e.row["split"] == "selection" and not e.row["reindexed"]]
    oracle = _cheapest([e for e in whole if e.row["policy"] == "top_attention"])
    moved = _cheapest(
        [e for e in found if e.row["split"] == "selection" and e.row["reindexed"]
         and e.row["policy"] != "top_attention"]
    )  # fmt: skip
    aside = "" if oracle is None else (
        f" An oracle that knows attention could do with {_what(oracle)}."
    )  # fmt: skip
    if moved is not None:
        aside += f" Moved together, {_what(moved)} would do ({estimate(moved)})."
    beside = [e for e in (oracle, moved) if e is not None]
    if "selection" not in chosen:
        others = [e for e in whole if e.row["policy"] != "top_attention" and e.estimate is not None]
        best = min(others, key=lambda e: e.estimate or 0.0, default=None)
        least = "" if best is None else f"; the least, {_what(best)}, costs {estimate(best)}"
        sentence = f"{where}{KEPT_WHOLE}: no policy is shown to stay within δ{least}.{aside}"
        return "NO", sentence, [*([best] if best is not None else []), *beside]
    first, second = chosen["selection"], chosen.get("confirmation")
    cited = [first, *([second] if second is not None else []), *beside]
    said = (
        f"{where}{_what(first).capitalize()} will do: cost {estimate(first)}, at most "
        f"{number(_upper(first))} with all policies and budgets tried"
    )
    if second is None or second.estimate is None:
        return "INCONCLUSIVE", f"{said}; not tried on the untouched split.{aside}", cited
    said += f"; on the untouched split {estimate(second)}, at most {number(_upper(second))}"
    if not second.facts["within"]:
        return "INCONCLUSIVE", f"{said}, which does not confirm it.{aside}", cited
    return "YES", f"{said}.{aside}", cited


def _upper(evidence: Evidence) -> float | None:
    upper = evidence.facts["upper"]
    return upper if isinstance(upper, float) else None


def _cheapest(evidence: list[Evidence]) -> Evidence | None:
    fit = [e for e in evidence if e.facts["within"]]
    order = list(SAYS)
    return min(
        fit, key=lambda e: (float(str(e.row["budget"])), order.index(str(e.row["policy"]))),
        default=None,
    )  # fmt: skip


def _what(evidence: Evidence) -> str:
    share = percent(float(str(evidence.row["budget"])))
    return SAYS[str(evidence.row["policy"])].format(share=share)
