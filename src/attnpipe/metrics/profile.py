"""Mean attention per query and key, and what of it is position and what content."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.reduce import divide, mean_of_known
from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import Rows, plogp, to_numpy


@dataclass(frozen=True)
class Split:
    """Mean divergence from uniform, split into position and content; per head.

    Attributes
    ----------
    position, content
        Nats; their sum is the mean of ``kl_uniform`` over `rows`. NaN without rows.
    share
        ``content / (position + content)``; NaN below the noise floor.
    rows
        Rows behind them.
    """

    position: Float[np.ndarray, " head"]
    content: Float[np.ndarray, " head"]
    share: Float[np.ndarray, " head"]
    rows: Float[np.ndarray, " head"]


class ProfileSums(RowFold):
    """Sums over samples of weights, support, row entropy and valid rows, per query and key.

    Memory is 16 bytes per head, query and key.
    """

    axes = ("head", "query", "key")
    sums: Mapping[str, int] = {"weights": 3, "support": 3, "entropy": 2, "rows": 2}

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        xp = rows.xp
        valid = xp.astype(rows.valid, xp.float64)
        if rows.mask.shape[1] == 1:  # one support for all samples
            support = xp.sum(valid, axis=1)[..., None] * rows.mask[:, 0, ...]
        else:
            support = xp.sum(valid[..., None] * rows.mask, axis=1)
        self.tally.add(
            (heads(rows), rows.query_positions, rows.key_positions),
            weights=to_numpy(xp.sum(rows.weights, axis=1)),
            support=to_numpy(support),
            entropy=to_numpy(xp.sum(rows.entropy * valid, axis=1)),
            rows=to_numpy(xp.sum(valid, axis=1)),
        )

    @property
    def keys(self) -> Int[np.ndarray, " key"]:
        """Key positions, ascending."""
        return self.tally.labels("key")

    @property
    def rows(self) -> Float[np.ndarray, "head query"]:
        """Valid rows."""
        return self.tally["rows"]

    def row_profiles(self) -> Float[np.ndarray, "head query key"]:
        """Return the mean row p̄ of each query over samples; NaN for a query without rows."""
        return divide(self.tally["weights"], self.rows[..., None])

    def profile(self) -> Float[np.ndarray, "head key"]:
        """Return the mean over queries of `row_profiles`; it sums to 1."""
        return mean_of_known(np.moveaxis(self.row_profiles(), 1, -1))

    def lag_profile(self) -> tuple[Int[np.ndarray, " lag"], Float[np.ndarray, "head lag"]]:
        """Return the lags that occur in the support, ascending, and the mean mass at each."""
        lag = self.tally.labels("query")[:, None] - self.keys[None, :]
        lags, place = np.unique(lag, return_inverse=True)
        row_profiles, seen = self.row_profiles(), np.any(self.tally["support"] > 0, axis=0)
        mass = np.zeros((len(row_profiles), len(lags)))
        for head, row_profile in enumerate(row_profiles):
            known = ~np.isnan(row_profile)
            total = np.bincount(place.ravel()[known.ravel()], row_profile[known], len(lags))
            mass[head] = total / row_profile[known].sum() if known.any() else np.nan
        occurs = np.isin(lags, lag[seen])
        return lags[occurs], mass[:, occurs]

    def split(self, row_tolerance: float) -> Split:
        """Split the mean divergence from uniform at fixed query positions.

        E KLu = [ln n − H(p̄)] + [H(p̄) − E H]: positional information and I(sample; key),
        per query position over its B samples, then averaged over queries. The plug-in I
        is low by about I/B, so I·B/(B − 1) is reported (first order: rough for small B)
        and position is the rest, so that the sum stays exact. Position may therefore be
        below 0, and the share above 1, by up to 1/(B − 1) of the whole.

        A query counts only if B ≥ 2 and its support is the same for all its samples:
        otherwise p̄ mixes rows that could not look at the same keys.

        The share is NaN below a floor of 50 · `row_tolerance`² nats: a relative error ε on
        every weight shifts KLu by ε²/2 to second order around the uniform row, so that
        above the floor rounding makes up less than 1 % of the whole.
        """
        rows, support = self.rows, self.tally["support"]
        common = np.all((support == 0) | (support == rows[..., None]), axis=-1) & (rows >= 2)
        samples = np.where(common, rows, np.nan)
        n = np.sum(support > 0, axis=-1)
        entropy_of_mean = plogp(np, np.nan_to_num(self.row_profiles()))
        mean_entropy = divide(self.tally["entropy"], samples)
        total = np.log(np.maximum(n, 1)) - mean_entropy
        information = np.maximum(entropy_of_mean - mean_entropy, 0.0) * samples / (samples - 1)
        content = mean_of_known(information)
        total = mean_of_known(total)
        share = np.where(total > 50.0 * row_tolerance**2, divide(content, total), np.nan)
        return Split(total - content, content, share, np.where(common, rows, 0.0).sum(axis=-1))
