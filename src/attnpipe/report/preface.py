"""What a reader must know before the findings: how numbers are to be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from attnpipe.diagnosis.schema import Diagnosis, Kind
from attnpipe.diagnosis.words import count

UNDECIDED = (
    "“Inconclusive” means that the evidence does not decide; each finding says what is missing."
)
WORDS = (
    "Words “as published” are those of an earlier analysis, quoted for comparison: nahezu uniform "
    "(nearly uniform), schwach fokussiert (weakly focused), fokussiert (focused), stabil "
    "(stable), instabil (unstable)."
)
NUMBERS = (
    "Numbers “as published” follow the rules of an earlier analysis, for comparison: entropy of "
    "the mean over heads, and keywords as substrings of tokens."
)
QUOTES: Mapping[Kind, str] = {"forecast": WORDS, "weights": WORDS, "text": NUMBERS}
"""What “as published” means."""
MOST_SEEDS = 20


def remarks(diagnosis: Diagnosis, provenance: Mapping[str, Any]) -> str:
    """Return what intervals, margins and n stand for in this study."""
    level = f"Numbers in brackets are {100 * diagnosis.confidence:g} % intervals"
    margin = f"{diagnosis.delta:g}"
    if diagnosis.kind == "text":
        unit = unit_of(provenance)
        n = "unknown" if diagnosis.units is None else count(diagnosis.units, unit)
        paired = "" if unit == "sentence" else ", on which variants of the prompt are paired"
        return (
            f"{level} over {unit}s. Differences of attention mass matter beyond {margin}. "
            f"{_of_answers(unit, provenance)}n: {n}{paired}. {UNDECIDED}"
        )
    seeds = _seeds(diagnosis.seeds, provenance)
    return (
        f"{level}. Gain is in units of the model’s skill; it matters beyond δ = {margin}. "
        f"Seeds: {seeds}. {UNDECIDED}"
    )


def _of_answers(unit: str, provenance: Mapping[str, Any]) -> str:
    """Return what δ is where answers are scored, with a blank behind it; of sentences, nothing."""
    contrast = ((provenance.get("config") or {}).get("analysis") or {}).get("contrast") or {}
    if unit != "question" or "delta" not in contrast:
        return ""
    return (
        "What answers lose is in units of what the question tells of its answer; it matters beyond "
        f"δ = {contrast['delta']:g}. "
    )


def counts(kind: Kind) -> Sequence[tuple[str, str]]:
    """Return the columns of evidence that say how much is behind a number: title, field."""
    if kind == "text":
        return (("n", "n_units"),)
    return (("Seeds", "n_seeds"), ("Units", "n_units"))


def unit_of(provenance: Mapping[str, Any]) -> str:
    """Return what the texts of a study are, of which n is the number."""
    kind = (_data(provenance).get("texts") or {}).get("kind")
    return "sentence" if kind == "sentences" else "question"


def _seeds(seeds: Sequence[int], provenance: Mapping[str, Any]) -> str:
    """Return the seeds, or that saved weights come without any: then a number stands in."""
    stored = _data(provenance).get("models")
    if stored and not any(model["seeds"] for model in stored.values()):
        return "none, the weights come without a seed axis"
    more = f" and {len(seeds) - MOST_SEEDS} more" if len(seeds) > MOST_SEEDS else ""
    return ", ".join(map(str, seeds[:MOST_SEEDS])) + more


def _data(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    return provenance.get("data") or {}
