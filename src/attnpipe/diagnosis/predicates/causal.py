"""Questions that only interventions and retrained models can answer."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Finding

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
    return case.lacking(
        "How weights look does not show whether the forecast depends on them.", missing
    )


def content(case: Case) -> Finding:
    """Undecided without E3, E4 and the arms that retrain with uniform or static weights."""
    missing = _absent(case, {k: INTERVENTIONS[k] for k in ("E3", "E4")} | ARMS)
    return case.lacking(
        "A gain over the baseline does not show that it comes from what attention looks at.",
        missing,
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
        return case.lacking(sentence, [f"skill of {case.label}", *missing])
    return case.lacking(
        "Description and a baseline are not enough for a verdict: causal evidence is missing.",
        missing,
    )
