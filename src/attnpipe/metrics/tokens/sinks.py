"""Rows with the mass on sinks taken out: all metrics can then run on them again."""

from dataclasses import replace

import array_api_compat
import numpy as np
from jaxtyping import Bool

from attnpipe.metrics.rows import REASONS, Rows
from attnpipe.metrics.tokens.texts import Texts

LEAST_LEFT = 1e-3
"""Rows with less mass off the sinks are undefined: what is left is mostly rounding."""

SUNK = 1 + len(REASONS)
"""`Rows.reason` of a valid row that has less than that off the sinks; it is no fault."""


def without(rows: Rows, sinks: Bool[np.ndarray, "sample key"]) -> Rows:
    """Return the rows as if no key were a sink: p / (1 − sink) on the n − #sinks other keys.

    Some heads park mass on a token that carries nothing, which would rule every metric
    (Clark et al. 2019, arXiv 1906.04341; Xiao et al. 2023, arXiv 2309.17453).

    Parameters
    ----------
    rows
        Checked rows.
    sinks
        The keys to take out, by sample and key in the order of the axes of `rows`.

    Returns
    -------
    Rows
        Of the same shape. A row with less than `LEAST_LEFT` off the sinks is invalid, its
        reason `SUNK`.
    """
    if not sinks.any():
        return rows
    xp = rows.xp
    if (sinks == sinks[:1]).all():
        sinks = sinks[:1]  # one support for all samples stays one
    device = array_api_compat.device(rows.weights)
    kept = ~xp.asarray(sinks, device=device)[:, None, :]
    weights = xp.where(kept[None, ...], rows.weights, 0.0)
    left = xp.sum(weights, axis=-1)
    enough = rows.valid & (left >= LEAST_LEFT)
    scale = xp.where(enough, 1.0 / xp.where(enough, left, 1.0), 0.0)
    return replace(
        rows,
        weights=weights * scale[..., None],
        support=rows.support & kept,
        reason=xp.where(rows.valid & ~enough, SUNK, rows.reason),
    )


def sink_keys(rows: Rows, texts: Texts) -> Bool[np.ndarray, "sample key"]:
    """Return which keys of `rows`, whose positions are token indices, are declared sinks."""
    return np.stack([texts[sample].sinks[rows.key_positions] for sample in rows.samples.tolist()])
