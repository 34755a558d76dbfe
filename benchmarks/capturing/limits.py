"""What capture may cost, and whether it was measured to cost no more."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LIBRARIES = "fused, C by ziglang"
"""The engine of a machine without a compiler, from a Python package."""
TIME = {("fused, C", 2048): 1.35, ("fused, C", 4096): 1.5, (LIBRARIES, 2048): 1.8}
"""Method and tokens → most CPU time, as a ratio to the forward pass. It is held to on the processor
whose times come first in `capture.json`; what others exceed is told on the page."""
WANTED = TIME | {("fused, torch and numpy", 2048): 1.8}
"""What the page holds every processor to. Without a compiler of any kind, what is wanted was
reached on one of three processors, and no check rests on it."""
PEAK = 1.15
"""Most memory of a fused pass of `FROM` tokens or more, as a ratio to the forward pass."""
FROM = 2048
"""Tokens below which some MB of Python's own, whatever the length, are more than that."""
EXPONENT = 1.1
"""Fastest growth of memory: the slope of its logarithm over that of the length."""
DEPTH = 12
"""Layers at which memory must have been measured as well: what is kept grows with them."""
LENGTHS = 4
"""Fewest lengths that the slope is measured over."""
FUSED = ("fused, C", "fused, torch and numpy")

Row = Mapping[str, Any]


def exceeded(result: Mapping[str, Sequence[Row]]) -> list[str]:
    """Return a sentence for each limit that a benchmark exceeds; none if it keeps them all.

    Parameters
    ----------
    result
        What `benchmarks/capture.json` holds.

    Raises
    ------
    ValueError
        Something that has a limit was not measured.
    """
    times = {(row["method"], row["tokens"]) for row in result["times"]}
    for method, tokens in TIME:
        if (method, tokens) not in times:
            raise ValueError(f"'{method}' was not timed at {tokens} tokens")
    found = too_slow(result["times"])
    for row in [*result["peaks"], *result["memory"], *result["deep"]]:
        compared = row["method"] in FUSED and row["tokens"] >= FROM and row["peak_ratio"]
        if compared and row["peak_ratio"] > PEAK:
            found.append(
                f"{row['method']} at {row['tokens']} tokens needs {row['peak_ratio']} times the "
                f"memory, not {PEAK}"
            )
    deep = {(row["method"], row["tokens"], row["layers"]): row for row in result["deep"]}
    for method in FUSED:
        if not deep.get((method, FROM, DEPTH), {}).get("peak_ratio"):
            raise ValueError(f"memory of '{method}' was not measured at {DEPTH} layers")
        if len({row["tokens"] for row in result["memory"] if row["method"] == method}) < LENGTHS:
            raise ValueError(f"memory of '{method}' was not measured at {LENGTHS} lengths")
    for method in FUSED:
        if not any((r["method"], r["tokens"]) == (method, FROM) for r in result["peaks"]):
            raise ValueError(f"memory of '{method}' was not measured at {FROM} tokens")
    for method, slope in exponents(result["memory"]).items():
        if slope > EXPONENT:
            found.append(f"memory of {method} grows with exponent {slope:.2f}, not {EXPONENT}")
    return found


def too_slow(rows: Sequence[Row], limits: Mapping[tuple[str, int], float] = TIME) -> list[str]:
    """Return a sentence for each limit of time that is exceeded, of what was timed."""
    times = {(row["method"], row["tokens"]): row for row in rows}
    found = []
    for (method, tokens), most in limits.items():
        if (method, tokens) not in times:
            continue
        median = times[method, tokens]["ratio"][0]
        if median > most:
            found.append(f"{method} at {tokens} tokens takes {median} times as long, not {most}")
    return found


def exponents(rows: Sequence[Row]) -> dict[str, float]:
    """Return method → slope of log memory over log tokens, by least squares."""
    found = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [(row["tokens"], row["peak_mb"]) for row in rows if row["method"] == method]
        tokens, peaks = np.log(np.array(own, dtype=float)).T
        found[method] = float(np.polyfit(tokens, peaks, 1)[0])
    return found
