"""Numbers in sentences."""

import math

from attnpipe.diagnosis.schema import Evidence, GateRow


def number(value: float | None, *, sign: bool = False) -> str:
    """Return a number with three decimals, or three significant digits if it is small or large."""
    if value is None:
        return "unknown"
    size = abs(value)
    text = f"{value:+.3f}" if sign else f"{value:.3f}"
    if size >= 1000 or (0 < size < 0.001):
        text = f"{value:+.3g}" if sign else f"{value:.3g}"
    elif size >= 100:
        text = f"{value:+.0f}" if sign else f"{value:.0f}"
    elif size >= 10:
        text = f"{value:+.1f}" if sign else f"{value:.1f}"
    return text.replace("-", "−")


def estimate(evidence: Evidence, *, sign: bool = False) -> str:
    """Return ``0.123 [0.100, 0.150]``, or the estimate alone without an interval."""
    text = number(evidence.estimate, sign=sign)
    if evidence.lo95 is not None and evidence.hi95 is not None:
        text += f" [{number(evidence.lo95)}, {number(evidence.hi95)}]"
    return text


def gate_estimate(gate: GateRow) -> str:
    """Return the effect of a gate with its interval, and its sign."""
    text = number(gate.effect, sign=True)
    if gate.lo95 is not None and gate.hi95 is not None:
        text += f" [{number(gate.lo95)}, {number(gate.hi95)}]"
    return text


def p_value(p: float) -> str:
    """Return p with three decimals; what is smaller is called so."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def thousands(n: int) -> str:
    """Return a whole number in groups of three digits."""
    return f"{n:,}".replace(",", " ")


def sample(evidence: Evidence) -> str:
    """Return ``(5 seeds × 40 units)``."""
    n = evidence.n_seeds
    parts = [] if n is None else [count(n, "seed")]
    if evidence.n_units is not None:
        parts.append(count(evidence.n_units, "unit"))
    return f"({' × '.join(parts)})" if parts else "(no seed axis)"


def percent(share: float | None) -> str:
    """Return a share as whole per cent."""
    return "unknown" if share is None or math.isnan(share) else f"{100 * share:.0f} %"


def finetune(share: float) -> str:
    """Return ``fine-tune of 10 % of the steps``."""
    return f"fine-tune of {100 * share:g} % of the steps"


def count(n: int, thing: str) -> str:
    """Return ``1 run`` or ``5 runs``."""
    return f"{n} {thing}{'' if n == 1 else 's'}"


def every(n: int, thing: str) -> str:
    """Return ``the only run`` or ``all 5 runs``."""
    return f"the only {thing}" if n == 1 else f"all {count(n, thing)}"


def named(thing: str, names: list[str], most: int = 4) -> str:
    """Return ``seed 7`` or ``seeds 7, 42 and 1 more``."""
    return f"{thing}{'' if len(names) == 1 else 's'} {listed(names, most)}"


def span(evidence: list[Evidence], unit: str = "") -> str:
    """Return one estimate, or the range over heads or layers, with what follows the number."""
    if len(evidence) == 1:
        return estimate(evidence[0]) + unit
    known = [e.estimate for e in evidence if e.estimate is not None]
    if not known:
        return "unknown"
    thing = "head" if any("head" in e.row for e in evidence) else "layer"
    return f"{number(min(known))} to {number(max(known))}{unit} over {count(len(known), thing)}"


def listed(items: list[str], most: int = 4) -> str:
    """Return items joined by commas, the rest counted."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
