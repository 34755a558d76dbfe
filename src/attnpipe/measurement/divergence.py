"""How far apart the same rows lie at two checkpoints."""

import numpy as np
from jaxtyping import Float

from attnpipe.core.errors import UserError
from attnpipe.core.record import LayerRecord
from attnpipe.metrics.reduce import divide, mean_of_known
from attnpipe.metrics.rows import Rows, plogp
from attnpipe.metrics.tally import Tally


class RowDivergence:
    """Mean Jensen–Shannon divergence between rows, nats, in [0, ln 2] (Lin 1991).

    JSD(p, q) = H((p + q)/2) − (H(p) + H(q))/2, reduced row → sample → head. A row counts
    if it is valid at both checkpoints.
    """

    def __init__(self) -> None:
        self._tally = Tally(("head", "sample"), {"sum": 2, "count": 2, "rows": 2})

    def add(self, a: Rows, b: Rows) -> None:
        """Take in the same rows of two checkpoints."""
        mixture = plogp(np, 0.5 * (a.weights + b.weights))
        jsd = np.maximum(mixture - 0.5 * (a.entropy + b.entropy), 0.0)
        both = a.valid & b.valid
        real = (a.reason != 1) | (b.reason != 1)
        self._tally.add(
            (np.arange(len(jsd)), a.samples),
            sum=np.where(both, jsd, 0.0).sum(axis=-1),
            count=both.sum(axis=-1, dtype=np.float64),
            rows=real.sum(axis=-1, dtype=np.float64),
        )

    @property
    def mean(self) -> Float[np.ndarray, " head"]:
        """Mean over samples of the mean over rows; NaN where no row counts."""
        return mean_of_known(divide(self._tally["sum"], self._tally["count"]))

    @property
    def count(self) -> Float[np.ndarray, " head"]:
        """Rows behind the mean."""
        count: np.ndarray = self._tally["count"].sum(axis=-1)
        return count

    @property
    def excluded(self) -> Float[np.ndarray, " head"]:
        """Rows that are invalid at either checkpoint, without padding."""
        excluded: np.ndarray = (self._tally["rows"] - self._tally["count"]).sum(axis=-1)
        return excluded


def require_same_rows(a: LayerRecord, b: LayerRecord) -> None:
    """Refuse two records of a layer that do not hold the same rows.

    Raises
    ------
    UserError
        If heads, samples, queries or keys differ.
    """
    same = a.weights.shape == b.weights.shape and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("samples", "query_positions", "key_positions")
    )
    if not same:
        raise UserError(
            f"checkpoints '{a.checkpoint}' and '{b.checkpoint}' of layer {a.layer} hold other rows "
            f"({a.weights.shape} and {b.weights.shape}, or other samples or positions): "
            "store the same samples, queries and keys at every checkpoint"
        )
