"""Likeness of heads that look at random keys, each row as sharply as it does."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.stats.nulls import matched_entropy
from attnpipe.stats.rows import PairMean, Support, Weights, unit_rows

ROWS = 32
"""Rows looked at: more would hardly narrow the null, as a draw's rows share their logits."""
POOL = 32
"""Draws of every head, which are combined."""


def random_likeness(
    weights: Sequence[Weights],
    support: Support,
    generators: Sequence[np.random.Generator],
    draws: int = 199,
) -> Float[np.ndarray, " draw"]:
    """Return the mean over pairs of seeds of S_row when every head looks at random keys.

    A draw gives each key one standard normal logit, the same in all rows of a head, and each
    row the entropy it has (`stats.nulls.matched_entropy`). Logits drawn anew for every row
    would average out over rows, and call two habits of position alike as soon as they are
    not quite orthogonal. The mean of the null is 0 for any sharpness, as keys are
    exchangeable; its width is about 1/√(n − 1) for n keys and two seeds.

    Parameters
    ----------
    weights
        One array per seed, as in `stats.rows.row_similarity`.
    support
        Keys that a query may see; axes of size 1 stand for "the same for all".
    generators
        One per seed: the source of its logits.
    draws
        Combinations of the seeds' draws. The smallest p is 1/(1 + draws).

    Returns
    -------
    array
        In [−1, 1]; NaN where no row counts.
    """
    sample, query = _some_rows(weights[0].shape)
    seen = np.broadcast_to(support, weights[0].shape)[sample, query][:, None]
    likeness = _likeness([w[sample, query][:, None] for w in weights], seen, generators)
    rng = np.random.default_rng(0)
    null = np.empty(draws)
    for draw in range(draws):
        chosen = np.arange(len(weights)) * POOL + rng.integers(POOL, size=len(weights))
        null[draw] = pairwise_mean(likeness[np.ix_(chosen, chosen)]).value
    return null


def _some_rows(
    shape: tuple[int, ...],
) -> tuple[Int[np.ndarray, " row"], Int[np.ndarray, " row"]]:
    """Return samples and queries of some rows, or of all if there are few."""
    samples, queries, _ = shape
    count = samples * queries
    chosen = np.random.default_rng(0).choice(count, min(count, ROWS), replace=False)
    return np.unravel_index(np.sort(chosen), (samples, queries))  # type: ignore[return-value]


def _likeness(
    rows: Sequence[Weights], seen: Support, generators: Sequence[np.random.Generator]
) -> Float[np.ndarray, "draw draw"]:
    """Return the likeness of all draws of all seeds with each other."""
    pools = []
    for own, rng in zip(rows, generators, strict=True):
        # Key after key, so that keys which no row sees change nothing.
        drawn = rng.standard_normal((own.shape[-1], POOL)).T[:, None]
        logits = np.repeat(drawn, len(own), axis=0)
        given, visible = (np.tile(array, (POOL, 1, 1)) for array in (own, seen))
        pools.append(matched_entropy(given, visible, logits).reshape(POOL, *own.shape))
    raw = np.concatenate(pools)
    units, defined = unit_rows(raw, np.linalg.norm(raw, axis=-1), seen)
    mean = PairMean(len(raw))
    for row in range(raw.shape[1]):  # all at once would be a large array of draws by draws by rows
        mean.add(units[:, row : row + 1], defined[:, row : row + 1])
    return mean.result()
