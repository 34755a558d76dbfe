"""The profile of a record that published analyses go by."""

import numpy as np
from jaxtyping import Float, Int

from attnpipe.core.errors import UserError
from attnpipe.core.record import LayerRecord
from attnpipe.metrics.registry import FOLDS

LAST_ROW = ("only", "last_query")


def published_profiles(
    record: LayerRecord, row: str
) -> tuple[Int[np.ndarray, " key"], Float[np.ndarray, "head key"]]:
    """Return key positions and, per head, the sample-mean weights of the published row.

    Parameters
    ----------
    record
        One layer at one checkpoint. Where it holds fold states, the mean is over all
        probe samples; else over those in its weights, rows that are not finite left out.
    row
        ``only`` or ``last_query``: the row of the newest query; ``mean_query``: the mean
        over queries.

    Returns
    -------
    positions, profiles
        Keys ascending; NaN for a head without rows. Not normalised.

    Raises
    ------
    UserError
        For another `row`.
    """
    if row not in (*LAST_ROW, "mean_query"):
        raise UserError(f"unknown published_row '{row}': use only, last_query or mean_query")
    if "battery" in record.states:
        sums = FOLDS.load("battery").from_state(record.states["battery"]).profile
        positions, means = sums.keys, sums.row_profiles()
    else:
        order = np.argsort(record.key_positions, kind="stable")
        positions = record.key_positions[order]
        means = _sample_means(record)[..., order]
        means = means[:, np.argsort(record.query_positions, kind="stable")]
    if row in LAST_ROW:
        return positions, means[:, -1]
    known = ~np.isnan(means).any(axis=-1)
    rows = known.sum(axis=1)[:, None]
    total = np.where(known[..., None], means, 0.0).sum(axis=1)
    return positions, np.divide(total, rows, out=np.full_like(total, np.nan), where=rows > 0)


def _sample_means(record: LayerRecord) -> Float[np.ndarray, "head query key"]:
    """Return the mean over samples of the finite rows whose support is not empty."""
    heads, samples, queries, keys = record.weights.shape
    seen = np.broadcast_to(record.support.any(axis=-1), (samples, queries))
    total, count = np.zeros((heads, queries, keys)), np.zeros((heads, queries, 1))
    for head in range(heads):  # bounds memory
        weights = np.asarray(record.weights[head])
        rows = seen & np.isfinite(weights).all(axis=-1)
        total[head] = np.where(rows[..., None], weights, 0.0).sum(axis=0, dtype=np.float64)
        count[head] = rows.sum(axis=0)[:, None]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
