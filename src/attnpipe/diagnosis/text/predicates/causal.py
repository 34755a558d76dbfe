"""Questions that only interventions can answer."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Finding
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.words import extent
from attnpipe.diagnosis.verdicts.gates import INTERVENTIONS

ABOUT = ("steps", "examples", "sensitive_layers")
"""Findings that describe what prompts change."""


def _absent(case: Case, *codes: str) -> list[str]:
    return [f"{c}: {INTERVENTIONS[c]}" for c in codes if f"causal.{case.name}.{c}" not in case.book]


def used(case: Case) -> Finding:
    """Undecided without E1 and E2: where a row looks never shows that it matters."""
    ids = [key("metric", case.name, v, "last", "entropy_normalized") for v in case.texts.variants]
    shape = [case.book[i] for i in ids if i in case.book]
    known = f" (entropy {extent(shape)} of ln n)" if shape else ""
    return case.lacking(
        f"Where the last row looks{known} does not show whether the output depends on it.",
        _absent(case, "E1", "E2"),
        shape,
    )


def verdict(case: Case) -> Finding:
    """INVALID if the capture is; undecided as long as causal evidence is missing."""
    captured = case.found.get("capture")
    if captured is not None and captured.status == "NO":
        sentence = "The captured weights are invalid: nothing can be said of them."
        cited = [case.book[i] for i in captured.evidence]
        return case.answer("INVALID", sentence, cited, missing=["a repaired capture"])
    told = [case.found[p] for p in ABOUT if p in case.found]
    return case.lacking(
        "What prompts change in attention does not show that attention changes the answers: "
        "causal evidence is missing.",
        _absent(case, *INTERVENTIONS),
        [case.book[i] for finding in told for i in finding.evidence],
    )
