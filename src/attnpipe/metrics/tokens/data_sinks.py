"""Sinks that the weights themselves show: keys that receive far more than their share."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Int

from attnpipe.metrics.reduce import mean_of_known
from attnpipe.metrics.tokens.incoming import Incoming

FOUND_SINKS_REMOVED = "found_sinks_removed"
"""Condition of what is taken off the declared sinks and off those that are found here."""

THRESHOLD = 4.0
"""Ratio above which a key is a sink: twice what a head can give by looking nearby.

A head that looks at the query itself or at one neighbour gives a key a mass of about 1,
hence a ratio of 1 over its exposure, at most 2 where that is ≥ `LEAST_EXPOSURE`.
"""

LEAST_EXPOSURE = 0.5
"""Keys with less exposure are not judged: under a causal mask the last keys of a text, whose
few rows say little. There uniform attention gives the k-th of N keys about ln(N/k)."""

LEAST_SHARE = 0.5
"""A sink has its position in at least this share of the texts, else it is content."""


def data_sinks(
    incoming: Incoming, threshold: float = THRESHOLD, samples: Collection[int] | None = None
) -> Int[np.ndarray, " key"]:
    """Return the positions that act as sinks in a layer, ascending.

    The exposure-normalised incoming ratio, averaged over heads and then over texts,
    exceeds `threshold`. All heads of a layer share their sinks. To remove them, give the
    positions as `sinks` to `texts.Texts.of` and fold the rows once more.

    Parameters
    ----------
    incoming
        Of a layer, over the texts.
    threshold
        In multiples of what uniform attention would give.
    samples
        The texts that are asked; None: all.
    """
    keys = incoming.tally.labels("key")
    seen = incoming.samples.tolist()
    asked = seen if samples is None else [sample for sample in seen if sample in samples]
    ratio = np.full((len(keys), len(asked)), np.nan)
    for i, sample in enumerate(asked):
        received = incoming.of(sample)
        judged = np.where(received.exposure >= LEAST_EXPOSURE, received.ratio, np.nan)
        ratio[np.searchsorted(keys, received.keys), i] = mean_of_known(judged.T)
    frequent = np.mean(~np.isnan(ratio), axis=1) >= LEAST_SHARE if ratio.size else np.zeros(0, bool)
    return keys[frequent & (mean_of_known(ratio) > threshold)]
