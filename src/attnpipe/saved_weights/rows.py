"""Rows of saved weights: checked to be distributions, then made exactly so."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Shaped

from attnpipe.core.errors import UserError
from attnpipe.saved_weights.axes import CANONICAL

CHUNK = 1 << 20
"""Weights judged at once, in float64."""
TOLERANCE, HALF_TOLERANCE = 1e-5, 5e-3
EVAL = "save the weights after the softmax and without dropout"


def rounding(dtype: np.dtype, declared: float | None) -> float:
    """Return the largest |row sum − 1| that is rounding: as declared, or by the stored type.

    1e-5 for single precision and better, 5e-3 for half precision.
    """
    if declared is not None:
        return declared
    return HALF_TOLERANCE if dtype.kind == "f" and dtype.itemsize == 2 else TOLERANCE


def distributions(
    weights: Shaped[np.ndarray, "layer head sample query key"],
    support: Bool[np.ndarray, "1 #query key"],
    tolerance: float,
    name: str,
) -> Float32[np.ndarray, "layer head sample query key"]:
    """Return weights whose rows are distributions over their support, as float32.

    A row is valid if it is finite and non-negative, and if its sum differs from 1, and its
    mass off the support from 0, by no more than `tolerance`. What is within the tolerance
    is rounding: the row is divided by its sum on the support. Nothing else is mended.

    Parameters
    ----------
    weights
        As stored, axes in canonical order.
    support
        The keys each query may see.
    tolerance
        See `rounding`.
    name
        The file, for messages.

    Raises
    ------
    UserError
        For the first row that is not valid, with its place and value.
    """
    single = np.empty(weights.shape, dtype=np.float32)
    with np.errstate(over="ignore", under="ignore"):  # what overflows is refused as infinite
        np.copyto(single, weights, casting="unsafe")
    rows = single.reshape(-1, weights.shape[-1])
    queries = np.broadcast_to(support[0], weights.shape[-2:])
    step = max(1, CHUNK // rows.shape[1])
    for start in range(0, len(rows), step):
        index = np.arange(start, min(start + step, len(rows)))
        chunk = rows[index].astype(np.float64)
        visible = queries[index % len(queries)]
        fault = _first_fault(chunk, visible, tolerance)
        if fault is not None:
            row, what, cure = fault
            where = _place(int(index[row]), weights.shape)
            raise UserError(f"'{name}' {what}{where}; {cure}")
        chunk[~visible] = 0.0
        rows[index] = chunk / chunk.sum(axis=1, keepdims=True)
    return single


def _first_fault(
    chunk: Float64[np.ndarray, "row key"], visible: Bool[np.ndarray, "row key"], tolerance: float
) -> tuple[int, str, str] | None:
    """Return the first row at fault, what is wrong with it, and the cure."""
    finite = np.isfinite(chunk).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        value = chunk[row][~np.isfinite(chunk[row])][0]
        return row, f"holds {'NaN' if np.isnan(value) else value}", "export it again"
    lowest = chunk.min(axis=1)
    if lowest.min() < 0:
        row = int(np.argmax(lowest < 0))
        return row, f"holds the negative weight {lowest[row]:.6g}", EVAL
    sums = chunk.sum(axis=1)
    unequal = np.abs(sums - 1.0) > tolerance
    if unequal.any():
        row = int(np.argmax(unequal))
        what = f"has a row that sums to {sums[row]:.6g} instead of 1"
        return row, what, EVAL
    hidden = np.where(visible, 0.0, chunk).sum(axis=1)
    leaking = hidden > tolerance
    if leaking.any():
        row = int(np.argmax(leaking))
        what = f"gives {hidden[row]:.6g} of a row to keys after the query"
        return row, what, "set data.causal=false or export causal weights"
    return None


def _place(row: int, shape: tuple[int, ...]) -> str:
    """Return where a row stands, naming only axes that have more than one place."""
    where = np.unravel_index(row, shape[:-1])
    named = [
        f"{axis} {int(place)}"
        for axis, place, size in zip(CANONICAL[:-1], where, shape[:-1], strict=True)
        if size > 1
    ]
    return f" at {', '.join(named)}" if named else ""
