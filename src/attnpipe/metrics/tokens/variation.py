"""How much the rows of one text differ from each other on the keys that all of them see."""

from collections.abc import Mapping

import array_api_compat
import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.row_fold import heads
from attnpipe.metrics.rows import Rows, plogp, to_numpy
from attnpipe.metrics.tokens.fold import TokenFold
from attnpipe.metrics.tokens.select import part
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec


class PrefixVariation(TokenFold):
    """Divergence of a text's rows on its first half, per head and sample.

    H(p̄) − mean H over the rows that see all of the text's first ⌈length/2⌉ keys, each
    renormalised on them: the generalised Jensen–Shannon divergence (Lin 1991), nats, in
    [0, ln rows]. Under a causal mask those are the rows of the second half; under a full
    mask all rows. A row with less than 1e-3 of its mass there does not count.

    Parameters
    ----------
    options, texts
        As for every fold of tokens.
    sinks_removed
        1 if the declared sinks were taken out of the rows: they need not be seen then.
    """

    axes = ("head", "sample", "key")
    sums: Mapping[str, int] = {"mass": 3, "entropy": 2, "rows": 2}
    settings = ("sinks_removed",)

    def __init__(self, options: MetricsSpec, texts: Texts, sinks_removed: int = 0) -> None:
        super().__init__(options, texts)
        self.sinks_removed = sinks_removed

    def add(self, rows: Rows) -> None:
        """Take in checked rows whose positions are token indices."""
        xp, device = rows.xp, array_api_compat.device(rows.weights)
        own = [self.texts[sample] for sample in rows.samples.tolist()]
        half = -(-len(own[0].ids) // 2)
        prefix = part(rows, keys=np.flatnonzero(rows.key_positions < half))
        gone = np.stack([t.sinks[:half] & bool(self.sinks_removed) for t in own])
        absent = np.setdiff1d(np.arange(half), prefix.key_positions)  # no row here sees them
        enough = (half - gone.sum(axis=1) >= 2) & gone[:, absent].all(axis=1)
        seen = prefix.support | xp.asarray(gone[:, prefix.key_positions], device=device)[:, None, :]
        mass = xp.sum(prefix.weights, axis=-1)
        counts = (
            rows.valid
            & xp.all(seen, axis=-1)[None, ...]
            & (mass >= LEAST_LEFT)
            & xp.asarray(enough, device=device)[None, :, None]
        )
        scale = xp.where(counts, 1.0 / xp.where(counts, mass, 1.0), 0.0)
        weights = prefix.weights * scale[..., None]
        self.tally.add(
            (heads(rows), rows.samples, prefix.key_positions),
            mass=to_numpy(xp.sum(weights, axis=2)),
            entropy=to_numpy(xp.sum(plogp(xp, weights), axis=-1)),
            rows=to_numpy(xp.sum(xp.astype(counts, xp.float64), axis=-1)),
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    @property
    def rows(self) -> Float[np.ndarray, "head sample"]:
        """Rows compared."""
        return self.tally["rows"]

    def variation(self) -> Float[np.ndarray, "head sample"]:
        """Return H(p̄) − mean H, nats; NaN for fewer than 2 rows."""
        rows = np.where(self.rows >= 2, self.rows, np.nan)
        of_mean = plogp(np, divide(self.tally["mass"], rows[..., None]))
        return np.asarray(np.maximum(of_mean - divide(self.tally["entropy"], rows), 0.0))
