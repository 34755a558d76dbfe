"""Whether rows come at the rate they should, and where time jumps."""

import numpy as np
from jaxtyping import Bool, Float64

from attnpipe.core.errors import UserError

RATE_TOLERANCE = 0.05
JITTER = 0.5
"""A step longer or shorter than the nominal one by more than this share is a jump."""


def continues(
    time: Float64[np.ndarray, " row"], rate_hz: float, label: str
) -> Bool[np.ndarray, " row"]:
    """Tell for each row of a sequence whether it follows the one before it without a jump.

    Parameters
    ----------
    time
        Seconds.
    rate_hz
        Nominal rows per second.
    label
        How to call the sequence in messages.

    Raises
    ------
    UserError
        When time is missing or does not increase, or its median step is more than 5 % off.
    """
    follows = np.zeros(len(time), dtype=bool)
    bad = np.flatnonzero(~np.isfinite(time))
    if len(bad):
        raise UserError(f"'{label}' has no valid time in row {bad[0] + 1}; mend or remove the row")
    if len(time) < 2:
        return follows
    delta = np.diff(time)
    back = np.flatnonzero(delta <= 0)
    if len(back):
        raise UserError(
            f"'{label}' goes from time {time[back[0]]:g} s to {time[back[0] + 1]:g} s in row "
            f"{back[0] + 2}; sort the rows by time and keep each once"
        )
    median = float(np.median(delta))
    if abs(median * rate_hz - 1) > RATE_TOLERANCE:
        raise UserError(
            f"'{label}' has {1 / median:.4g} rows per second instead of {rate_hz:g}; resample "
            "it or correct the rate"
        )
    follows[1:] = np.abs(delta * rate_hz - 1) <= JITTER
    return follows


def require_finite(
    values: Float64[np.ndarray, "row column"],
    names: tuple[str, ...],
    rows: Bool[np.ndarray, " row"],
    label: str,
) -> None:
    """Raise a UserError for the first value among `rows` that is NaN or infinite."""
    bad = np.argwhere(~np.isfinite(values) & rows[:, None])
    if len(bad):
        row, column = bad[0]
        raise UserError(
            f"'{label}' has {values[row, column]} in column '{names[column]}' of row {row + 1}; "
            "fill it in or remove the row"
        )
