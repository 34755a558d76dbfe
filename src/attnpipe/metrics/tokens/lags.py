"""Mean mass at each lag, sample by sample, and how much rows differ in lag space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import Rows, plogp, to_numpy
from attnpipe.metrics.tokens import uniform
from attnpipe.metrics.tokens.fold import place


@dataclass(frozen=True)
class LagMass:
    """Mean mass of one sample's rows at each lag.

    Attributes
    ----------
    lags
        Lags (query − key) that some valid row could see, ascending.
    mass
        Mean over rows; it sums to 1. NaN without rows.
    chance
        The same for uniform attention in the same rows.
    rows
        Valid rows.
    """

    lags: Int[np.ndarray, " lag"]
    mass: Float[np.ndarray, "head lag"]
    chance: Float[np.ndarray, "head lag"]
    rows: Float[np.ndarray, " head"]


class LagProfile(RowFold):
    """Sums over queries of weights and of M/n, per head, sample and lag; sums of entropies."""

    axes = ("head", "sample", "lag")
    sums: Mapping[str, int] = {"mass": 3, "exposure": 3, "rows": 2, "entropy": 2, "log_n": 2}

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        xp = rows.xp
        valid = xp.astype(rows.valid, xp.float64)
        lags, mass = sum_by_lag(rows, rows.weights)
        exposure = to_numpy(sum_by_lag(rows, uniform.weights(rows))[1])
        seen = np.any(exposure > 0, axis=(0, 1))
        self.tally.add(
            (heads(rows), rows.samples, lags[seen]),
            mass=to_numpy(mass)[..., seen],
            exposure=exposure[..., seen],
            rows=to_numpy(xp.sum(valid, axis=-1)),
            entropy=to_numpy(xp.sum(rows.entropy * valid, axis=-1)),
            log_n=to_numpy(xp.sum(xp.log(xp.where(rows.n > 0, rows.n, 1.0)) * valid, axis=-1)),
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    @property
    def rows(self) -> Float[np.ndarray, "head sample"]:
        """Valid rows."""
        return self.tally["rows"]

    def of(self, sample: int) -> LagMass:
        """Return the lag profile of one sample."""
        own = place(self.tally, sample)
        seen = np.any(self.tally["exposure"][:, own] > 0, axis=0)
        rows = self.tally["rows"][:, own]
        return LagMass(
            lags=self.tally.labels("lag")[seen],
            mass=divide(self.tally["mass"][:, own, seen], rows[:, None]),
            chance=divide(self.tally["exposure"][:, own, seen], rows[:, None]),
            rows=rows,
        )

    def variation(self) -> Float[np.ndarray, "head sample"]:
        """Return how much the rows of a sample differ in lag space, nats.

        H(p̄) − mean H, p̄ the mean row over lags: the generalised Jensen–Shannon divergence
        (Lin 1991) of the rows, in [0, ln rows]. 0 if every query looks at the same lags.
        NaN for fewer than 2 rows.
        """
        return self._divergence("mass", "entropy")

    def variation_chance(self) -> Float[np.ndarray, "head sample"]:
        """Return the same of uniform attention: above 0 where rows have different supports."""
        return self._divergence("exposure", "log_n")

    def _divergence(self, mass: str, entropy: str) -> Float[np.ndarray, "head sample"]:
        rows = np.where(self.rows >= 2, self.rows, np.nan)
        of_mean = plogp(np, divide(self.tally[mass], rows[..., None]))
        return np.asarray(np.maximum(of_mean - divide(self.tally[entropy], rows), 0.0))


def sum_by_lag(
    rows: Rows, weights: Float[Any, "_ sample query key"]
) -> tuple[Int[np.ndarray, " lag"], Float[Any, "_ sample lag"]]:
    """Return all lags between the rows' positions, ascending, and the sum over queries at each.

    Row by row into a shifted place, so that nothing larger than a row is made.
    """
    xp, keys, queries = rows.xp, rows.key_positions, rows.query_positions
    lowest, highest = int(keys[0] - queries.max()), int(keys[-1] - queries.min())
    shape = (*weights.shape[:2], highest - lowest + 1)
    device = array_api_compat.device(weights)
    total = xp.zeros(shape, dtype=xp.float64, device=device)  # by key − query: no row is turned
    contiguous = len(keys) == keys[-1] - keys[0] + 1
    for place_, query in enumerate(queries.tolist()):
        first = int(keys[0]) - query - lowest
        if contiguous:
            total[..., first : first + len(keys)] += weights[:, :, place_, :]
        else:
            total[..., xp.asarray(keys - query - lowest, device=device)] += weights[:, :, place_, :]
    return -np.arange(highest, lowest - 1, -1), xp.flip(total, axis=-1)
