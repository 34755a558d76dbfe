"""Scores of heads that do one known thing: look at the neighbour, repeat, induce."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.row_fold import heads
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tokens.fold import TokenFold
from attnpipe.metrics.tokens.texts import Texts

SCORES = ("diagonal", "previous_token", "next_token", "duplicate_token", "induction")


@dataclass(frozen=True)
class Score:
    """One score per head and sample.

    Attributes
    ----------
    value
        Mean mass on the targets over eligible rows, in [0, 1]; NaN without such rows.
    chance
        Mean of (number of targets)/n over the same rows: the score of uniform attention.
    rows
        Eligible rows: valid ones with at least one target on their support.
    """

    value: Float[np.ndarray, "head sample"]
    chance: Float[np.ndarray, "head sample"]
    rows: Float[np.ndarray, "head sample"]


class HeadScores(TokenFold):
    """Mean mass on the targets of each score, over the rows that have a target.

    With x the tokens and p[q, ·] the row of query q:

    - ``diagonal``, ``previous_token``, ``next_token``: p[q, q], p[q, q−1], p[q, q+1]
      (Clark et al. 2019, arXiv 1906.04341);
    - ``duplicate_token``: Σ p[q, j] over j < q with x_j = x_q
      (Wang et al. 2022, arXiv 2211.00593);
    - ``induction``: Σ p[q, j] over 1 ≤ j ≤ q with x_{j−1} = x_q: the token after an earlier
      occurrence of the present one (prefix matching, Olsson et al. 2022, arXiv 2209.11895).
    """

    axes = ("head", "sample", "score")
    sums: Mapping[str, int] = {"mass": 3, "chance": 3, "count": 3}

    def add(self, rows: Rows) -> None:
        """Take in checked rows whose positions are token indices."""
        xp = rows.xp
        sums: dict[str, list] = {"mass": [], "chance": [], "count": []}
        n = xp.where(rows.n > 0, rows.n, 1.0)
        for target in targets(rows, self.texts).values():
            visible = xp.astype(target & rows.support, xp.float64)[None, ...]
            number = xp.sum(visible, axis=-1)
            eligible = xp.astype(rows.valid & (number > 0), xp.float64)
            sums["mass"].append(xp.sum(eligible * xp.vecdot(rows.weights, visible), axis=-1))
            sums["chance"].append(xp.sum(eligible * (number / n), axis=-1))
            sums["count"].append(xp.sum(eligible, axis=-1))
        self.tally.add(
            (heads(rows), rows.samples, np.arange(len(SCORES))),
            **{name: to_numpy(xp.stack(values, axis=-1)) for name, values in sums.items()},
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    def score(self, name: str) -> Score:
        """Return one of `SCORES`."""
        index = SCORES.index(name)
        count = self.tally["count"][..., index]
        return Score(
            value=divide(self.tally["mass"][..., index], count),
            chance=divide(self.tally["chance"][..., index], count),
            rows=count,
        )


def targets(rows: Rows, texts: Texts) -> dict[str, Bool[Any, "_ query key"]]:
    """Return the targets of each score, visible or not, in the order of `SCORES`."""
    xp, device = rows.xp, array_api_compat.device(rows.weights)
    ids = np.stack([texts[sample].ids for sample in rows.samples.tolist()])
    query = xp.asarray(ids[:, rows.query_positions], device=device)[:, :, None]
    key = xp.asarray(ids[:, rows.key_positions], device=device)[:, None, :]
    before = xp.asarray(ids[:, np.maximum(rows.key_positions - 1, 0)], device=device)[:, None, :]
    has_before = xp.asarray(rows.key_positions > 0, device=device)
    return {
        "diagonal": (rows.lag == 0)[None, ...],
        "previous_token": (rows.lag == 1)[None, ...],
        "next_token": (rows.lag == -1)[None, ...],
        "duplicate_token": (key == query) & (rows.lag > 0),
        "induction": (before == query) & has_before & (rows.lag >= 0),
    }
