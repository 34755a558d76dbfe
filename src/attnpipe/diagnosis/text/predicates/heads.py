"""What single heads do: the few that stand out of some hundreds."""

from collections.abc import Sequence

from attnpipe.aggregation.text.names import STEPS
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.text.heads import LEVEL, SCORES, SHOWN
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.readable import visible
from attnpipe.diagnosis.text.words import head_name
from attnpipe.diagnosis.words import estimate, number, percent

KNOWN = {
    "previous_token": "on the token before",
    "next_token": "on the token after",
    "duplicate_token": "on earlier copies of the token",
    "induction": "on what followed earlier copies of the token",
}


def heads(case: Case) -> Finding:
    """Describe the most focused and most distributed heads, and the best of each known kind.

    The best of hundreds is selected: its score is no estimate for another model or study.
    """
    variant = STEPS if STEPS in case.texts.variants else next(iter(case.texts.variants), "")
    ranked = sorted(
        (e for e in case.of_model("head") if _of(e, variant)),
        key=lambda e: int(str(e.facts["focused_rank"])),
    )
    best = [e for m in SCORES if (e := case.book.get(key("score", case.name, m))) is not None]
    known = above_chance(case)
    if not ranked and not known:
        return case.lacking("Single heads are not known.", ["metrics of single heads"])
    parts = []
    if ranked:
        focused, spread = ranked[:SHOWN], ranked[SHOWN:][-SHOWN:]
        parts.append(f"In variant {variant} the most focused heads are {_listed(focused)}")
        if spread:
            parts[-1] += f"; the most distributed {_listed(spread[::-1], tokens=False)}"
        parts[-1] += " (entropy of the last row over ln n)."
    if known:
        parts.append(f"Above chance: {'; '.join(map(_known, known))}.")
        parts.append("These are maxima of many heads, thus selected and too high: exploratory.")
    elif best:
        parts.append("No head of a known kind lies above chance.")
    return case.answer("DESCRIPTIVE", " ".join(parts), [*ranked, *best])


def above_chance(case: Case) -> list[Evidence]:
    """Return the best head of each known kind, if it lies above chance, of so many heads."""
    best = (case.book.get(key("score", case.name, metric)) for metric in SCORES)
    return [e for e in best if e is not None and _above(e)]


def in_short(e: Evidence) -> str:
    """Return what a head does, e.g. ``layer 0 head 2 on the token before (0.991)``."""
    return f"{head_name(e)} {KNOWN[str(e.row['metric'])]} ({number(e.estimate)})"


def _of(evidence: Evidence, variant: str) -> bool:
    return evidence.row["variant"] == variant and evidence.row["checkpoint"] == "pretrained"


def _above(evidence: Evidence) -> bool:
    mean, chance, p = evidence.estimate, evidence.facts["chance"], evidence.facts["p_bh"]
    if mean is None or not isinstance(chance, float) or not isinstance(p, float):
        return False
    return p < LEVEL and mean > chance


def _known(e: Evidence) -> str:
    chance = e.facts["chance"]
    return (
        f"{head_name(e)} has {estimate(e)} {KNOWN[str(e.row['metric'])]} in variant "
        f"{e.row['variant']} (chance {number(chance if isinstance(chance, float) else None)}; "
        f"{e.facts['above']} of {e.facts['heads']} heads lie above it, adjusted for their number)"
    )


def _listed(ranked: Sequence[Evidence], *, tokens: bool = True) -> str:
    return ", ".join(_ranked(e, tokens) for e in ranked)


def _ranked(e: Evidence, tokens: bool) -> str:
    where = f"{head_name(e)} ({number(e.estimate)}"
    token, share = e.facts["focus_token"], e.facts["focus_share"]
    if tokens and token is not None and isinstance(share, float):
        where += f", on ‘{visible(str(token))}’ in {percent(share)}"
    return f"{where})"
