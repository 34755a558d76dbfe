"""How much attention each key receives, raw and over what uniform attention would give it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tokens import uniform
from attnpipe.metrics.tokens.fold import place


@dataclass(frozen=True)
class Received:
    """What the keys of one sample receive.

    Attributes
    ----------
    keys
        Keys that some valid row could see, ascending.
    mass
        Σ_q A, in rows: over all keys it sums to `rows`.
    exposure
        Σ_q M/n_q: what uniform attention would give in the same rows.
    rows
        Valid rows.
    """

    keys: Int[np.ndarray, " key"]
    mass: Float[np.ndarray, "head key"]
    exposure: Float[np.ndarray, "head key"]
    rows: Float[np.ndarray, " head"]

    @property
    def ratio(self) -> Float[np.ndarray, "head key"]:
        """Mass over exposure, ≥ 0, 1 for uniform attention; NaN for keys that no row could see.

        Raw mass says where a key stands rather than how it is liked: under a causal mask
        uniform attention gives the first of N keys Σ 1/q, the N-th harmonic number.
        """
        return divide(self.mass, self.exposure)


class Incoming(RowFold):
    """Sums over queries of weights and of M/n, per head, sample and key."""

    axes = ("head", "sample", "key")
    sums: Mapping[str, int] = {"mass": 3, "exposure": 3, "rows": 2}

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        xp, share = rows.xp, uniform.share(rows)
        # A product of matrices, so that no M/n of the block's size is ever made.
        mask = xp.broadcast_to(rows.mask, (1, *share.shape[1:], rows.weights.shape[-1]))
        exposure = xp.matmul(share[..., None, :], mask)[..., 0, :]
        self.tally.add(
            (heads(rows), rows.samples, rows.key_positions),
            mass=to_numpy(xp.sum(rows.weights, axis=2)),
            exposure=to_numpy(exposure),
            rows=to_numpy(xp.sum(xp.astype(rows.valid, xp.float64), axis=-1)),
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    @property
    def rows(self) -> Float[np.ndarray, "head sample"]:
        """Valid rows."""
        return self.tally["rows"]

    def of(self, sample: int) -> Received:
        """Return what the keys of one sample receive."""
        own = place(self.tally, sample)
        exposure = self.tally["exposure"][:, own]
        seen = np.any(exposure > 0, axis=0)
        return Received(
            keys=self.tally.labels("key")[seen],
            mass=self.tally["mass"][:, own, seen],
            exposure=exposure[:, seen],
            rows=self.tally["rows"][:, own],
        )
