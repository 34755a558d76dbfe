"""Attention rollout: what flows from token to token through all layers. Descriptive only."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tokens.fold import TokenFold, place


class HeadMean(TokenFold):
    """Mean over heads of the weights of every text, query × key.

    Memory is 8 bytes per sample, query and key. A head whose row is invalid is left out.
    """

    axes = ("sample", "query", "key")
    sums: Mapping[str, int] = {"weights": 3, "heads": 2}

    def add(self, rows: Rows) -> None:
        """Take in checked rows whose positions are token indices."""
        xp = rows.xp
        self.tally.add(
            (rows.samples, rows.query_positions, rows.key_positions),
            weights=to_numpy(xp.sum(rows.weights, axis=0)),
            heads=to_numpy(xp.sum(xp.astype(rows.valid, xp.float64), axis=0)),
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    def of(self, sample: int) -> Float[np.ndarray, "token token"]:
        """Return one sample's mean over heads; NaN in rows that no head has valid or seen."""
        own, length = place(self.tally, sample), len(self.texts[sample].ids)
        mean = np.full((length, length), np.nan)
        queries, keys = (self.tally.labels(axis) for axis in ("query", "key"))
        rows, columns = queries < length, keys < length  # other texts may be longer
        count = self.tally["heads"][own, rows, None]
        mean[queries[rows]] = np.where(count > 0, 0.0, np.nan)
        found = divide(self.tally["weights"][own, rows], count)
        mean[np.ix_(queries[rows], keys[columns])] = found[:, columns]
        return mean


def rollout(layers: Sequence[Float[np.ndarray, "token token"]]) -> Float[np.ndarray, "token token"]:
    """Return the attention rollout Π (½ Ā + ½ I), the last layer leftmost.

    The identity stands for the residual connection (Abnar and Zuidema 2020,
    arXiv 2005.00928). Rows sum to 1. What a layer makes of the values it mixes
    is ignored, so that this describes weights and shows no cause.

    Parameters
    ----------
    layers
        Mean over heads of the weights of each layer (`HeadMean.of`), the first layer first.

    Returns
    -------
    array
        ``[token, token]``; all NaN if a row of a layer is NaN.
    """
    total = np.eye(len(layers[0]))
    for mean in layers:
        total = (0.5 * mean + 0.5 * np.eye(len(mean))) @ total
    return total if np.isfinite(total).all() else np.full_like(total, np.nan)
