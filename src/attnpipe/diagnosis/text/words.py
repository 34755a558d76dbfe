"""Numbers about prompts in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.words import count, estimate, number


def sample(evidence: Evidence, thing: str) -> str:
    """Return ``(32 questions)``, with Holm's p where there is one."""
    n = "unknown n" if evidence.n_units is None else count(evidence.n_units, thing)
    p = evidence.facts.get("p_holm")
    return f"({n}, Holm’s p {number(p)})" if isinstance(p, float) else f"({n})"


def direction(evidence: Evidence) -> str:
    """Return ``more`` or ``less``, by the sign of the estimate."""
    return "more" if (evidence.estimate or 0.0) > 0 else "less"


def signed(evidence: Evidence) -> str:
    """Return the difference with sign and interval, ends signed too."""
    text = number(evidence.estimate, sign=True)
    if evidence.lo95 is None or evidence.hi95 is None:
        return text
    return f"{text} [{number(evidence.lo95, sign=True)}, {number(evidence.hi95, sign=True)}]"


def by_layer(evidence: Evidence) -> str:
    """Say in how many layers the same difference shows, by both corrections; empty if unknown."""
    layers, bh, by = (evidence.facts.get(f) for f in ("layers", "layers_bh", "layers_by"))
    if not layers:
        return ""
    return (
        f" Single layers, exploratory: {bh} of {layers} differ after Benjamini–Hochberg, {by} "
        "after Benjamini–Yekutieli."
    )


def extent(evidence: list[Evidence], unit: str = "") -> str:
    """Return one estimate with its interval, or the range over several."""
    known = [e for e in evidence if e.estimate is not None]
    if len(known) == 1:
        return estimate(known[0]) + unit
    values = [e.estimate for e in known if e.estimate is not None]
    if not values:
        return "unknown"
    return between(min(values), max(values)) + unit


def between(low: float, high: float, *, sign: bool = False) -> str:
    """Return ``0.1 to 0.3``, or one number where both read the same."""
    ends = (number(low, sign=sign), number(high, sign=sign))
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def head_name(evidence: Evidence) -> str:
    """Return ``layer 3 head 2``."""
    return f"layer {evidence.row['layer']} head {evidence.row['head']}"


def over_limit(text: Mapping[str, Any]) -> str:
    """Say why a row of table `answers` has no map."""
    return f"{text['tokens']} tokens, more than analysis.text.dense_limit {text['over_limit']}"


def size(evidence: Sequence[Evidence]) -> dict[str, Any]:
    """Return the fields of a finding that say how much: of one prompt, or a range over several."""
    known = [e for e in evidence if e.estimate is not None]
    if not known:
        return {}
    if len(known) == 1:
        return {"effect": known[0]}
    values = [e.estimate for e in known if e.estimate is not None]
    return {
        "effect_range": (min(values), max(values)),
        "unit": known[0].unit,
        "n_units": known[0].n_units,
    }
