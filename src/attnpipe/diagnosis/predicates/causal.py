"""Questions that only interventions and retrained models can answer."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.words import estimate, span

INTERVENTIONS = {
    "E1": "E1: attention output replaced by its mean",
    "E2": "E2: uniform weights on the support",
    "E3": "E3: weights replaced by the mean at their position",
    "E4": "E4: rows permuted across samples",
}
ARMS = {
    "R0": "R0: retrained without attention, matched in parameters and steps",
    "R1": "R1: retrained with uniform weights",
    "R2": "R2: retrained with static weights per position",
}


def _absent(case: Case, names: dict[str, str]) -> list[str]:
    return [text for name, text in names.items() if f"causal.{case.name}.{name}" not in case.book]


def used(case: Case) -> Finding:
    """Undecided without E1 and E2: shape never shows use."""
    missing = _absent(case, {k: INTERVENTIONS[k] for k in ("E1", "E2")})
    shape = case.book.heads(f"metric.{case.name}.kl_uniform")
    known = f" ({span(shape, ' nats')} from uniform)" if _known(shape) else ""
    return case.lacking(
        f"How weights look{known} does not show whether the forecast depends on them.",
        missing,
        shape,
        effect=shape[0] if shape else None,
    )


def content(case: Case) -> Finding:
    """Undecided without E3, E4 and the arms that retrain with uniform or static weights."""
    missing = _absent(case, {k: INTERVENTIONS[k] for k in ("E3", "E4")} | ARMS)
    gain, share = _gain(case), case.book.heads(f"metric.{case.name}.content_share")
    sentence = "What attention looks at does not show that looking there helps."
    if _known(gain):
        size = estimate(gain[0], sign=True)
        sentence = f"A difference from the baseline ({size}) does not show what it comes from."
    return case.lacking(
        sentence,
        missing,
        [*gain, *share],
        effect=gain[0] if gain else None,
    )


def verdict(case: Case) -> Finding:
    """INVALID if the extraction is; undecided as long as causal evidence is missing."""
    captured, skill = case.found.get("extraction"), case.found.get("skill")
    if captured is not None and captured.status == "NO":
        sentence = "The captured weights are invalid: nothing can be said of them."
        cited = [case.book[i] for i in captured.evidence]
        return case.answer("INVALID", sentence, cited, missing=["a repaired capture"])
    missing = _absent(case, INTERVENTIONS | ARMS)
    if skill is None or skill.status != "YES":
        sentence = "Without skill over a trivial forecast, attention must not be interpreted."
        if not case.forecasts:
            sentence = "Weights alone do not tell whether the model forecasts anything at all."
        cited = [] if skill is None else [case.book[i] for i in skill.evidence]
        return case.lacking(sentence, [f"skill of {case.label}", *missing], cited)
    told = [case.found[p] for p in ("skill", "gain", "sharpness") if p in case.found]
    gain = _gain(case)
    return case.lacking(
        "Description and a baseline are not enough for a verdict: causal evidence is missing.",
        missing,
        [case.book[i] for finding in told for i in finding.evidence],
        effect=gain[0] if gain else None,
    )


def _gain(case: Case) -> list[Evidence]:
    found = case.book.get(f"gain.{case.name}.skill_units")
    return [] if found is None else [found]


def _known(evidence: list[Evidence]) -> bool:
    return bool(evidence) and all(e.estimate is not None for e in evidence)
