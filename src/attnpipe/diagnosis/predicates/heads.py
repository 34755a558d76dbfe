"""Which heads are missed one by one."""

from collections.abc import Sequence

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE, ENOUGH
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.verdicts.advice import next_runs, settling_seeds
from attnpipe.diagnosis.words import count, estimate, listed, percent, sample

RATE = 0.05
"""Expected share of heads that are named in error."""


def single_heads(case: Case) -> Finding | None:
    """YES: some head's removal alone costs something, at a false discovery rate of 5 %.

    Arises where there are several heads. It explores, and decides no verdict: heads that
    stand in for each other cost little one by one. That none is shown to be missed does not
    show that none is.
    """
    heads = case.book.heads(f"single_head.{case.name}")
    known = [e for e in heads if e.estimate is not None]
    if not heads:
        return None
    if not known:
        return case.lacking(
            "What a head costs cannot be told.",
            ["positive skill, of which a cost can be a share"], heads,
        )  # fmt: skip
    whole = case.book.get(f"causal.{case.name}.E1")
    alike = case.book.heads(f"matched.{case.name}.centred_cosine")
    cited = [*heads, *([] if whole is None else [whole]), *alike]
    effect = max(known, key=lambda e: e.estimate or 0.0)
    if missing := _missing(case, heads, whole, alike):
        sentence = f"Removed alone, the head that costs most is {_head(effect)} {sample(effect)}."
        unknown = whole is None or whole.estimate is None
        overrides = next_runs(case, {}, ["E1"])[0] if unknown else []
        return case.lacking(sentence, missing, cited, effect=effect, next_overrides=overrides)
    about = _about(whole, alike)
    if all(e.facts["p_bh"] is None for e in known) or _seeds(effect) < DESCRIBE:
        sentence = (
            f"Removed alone, the head that costs most is {_head(effect)} {sample(effect)}; "
            f"{case.untested}{about}"
        )
        return case.answer(
            "DESCRIPTIVE", sentence, cited, effect=effect, missing=case.few_seeds(effect),
            next_overrides=settling_seeds(case, effect),
        )  # fmt: skip
    missed, strictly = (_below(known, p, 1) for p in ("p_bh", "p_by"))
    spared = _below(known, "p_bh", -1)
    if not missed:
        sentence = (
            f"Of {count(len(known), 'head')} none is shown to be missed when it alone is removed "
            f"(Benjamini–Hochberg, {percent(RATE)} false) {sample(effect)}; the one that costs "
            f"most is {_head(effect)}.{_gain(spared)}{about}"
        )
        missing = case.few_seeds(effect) or ["more seeds: intervals are wide"]
        overrides = settling_seeds(case, effect, 0.0)
        return case.lacking(sentence, missing, cited, effect=effect, next_overrides=overrides)
    first = sorted(missed, key=lambda e: -(e.estimate or 0.0))
    sentence = (
        f"Removed alone, {len(missed)} of {count(len(known), 'head')} cost skill "
        f"{sample(effect)}: {listed([_head(e) for e in first])} (Benjamini–Hochberg, "
        f"{percent(RATE)} false; {len(strictly)} under any dependence, Benjamini–Yekutieli)."
        f"{_gain(spared)}{about}"
    )
    if _seeds(effect) < ENOUGH:
        overrides = settling_seeds(case, effect)
        return case.lacking(
            sentence, case.few_seeds(effect), cited, effect=effect, next_overrides=overrides
        )
    return case.answer("YES", sentence, cited, effect=effect)


def _missing(
    case: Case, heads: Sequence[Evidence], whole: Evidence | None, alike: Sequence[Evidence]
) -> list[str]:
    """Name what must be known beside the heads' own costs."""
    missing = []
    described = len(case.metric("kl_uniform"))
    if described > len(heads):
        missing.append(f"costs of all {described} heads (there are {len(heads)})")
    if whole is None or whole.estimate is None:
        missing.append("E1: what all heads cost together, intervention 'output_mean'")
    several = {e.row["layer"] for e in heads if e.row["head"]}
    seeds = max(map(_seeds, heads))
    if seeds > 1 and several - {e.row["layer"] for e in alike}:
        missing.append(f"heads of {seeds} seeds matched with each other")
    return missing


def _below(heads: Sequence[Evidence], p: str, sign: int) -> list[Evidence]:
    """Return the heads whose adjusted p is at most 5 % and whose effect has the sign."""
    found = []
    for e in heads:
        adjusted = e.facts[p]
        if isinstance(adjusted, float) and adjusted <= RATE and sign * (e.estimate or 0.0) > 0:
            found.append(e)
    return found


def _gain(spared: Sequence[Evidence]) -> str:
    """Name heads without which the model is better."""
    if not spared:
        return ""
    return f" Without {listed([_head(e) for e in spared])} the model is better."


def _about(whole: Evidence | None, alike: Sequence[Evidence]) -> str:
    """Say how far numbers of single heads carry."""
    assert whole is not None  # callers have checked
    said = (
        " Heads that stand in for each other cost little one by one: all together cost "
        f"{estimate(whole)}."
    )
    strange = [str(e.row["layer"]) for e in alike if e.facts["above_null"] is False]
    if strange:
        layers = f"layer{'' if len(strange) == 1 else 's'} {listed(strange)}"
        said += (
            f" Heads have the name of their partner in the first seed; in {layers} partners are "
            "no more alike than independent heads, so that a name there is no one head."
        )
    return said


def _head(evidence: Evidence) -> str:
    row = evidence.row
    return f"head {row['head']} of layer {row['layer']} ({estimate(evidence, sign=True)})"


def _seeds(evidence: Evidence) -> int:
    return evidence.n_seeds or 0
