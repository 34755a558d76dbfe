"""Likeness of heads when one of them is rotated along its keys."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.stats.rows import PairMean, Support, Weights, chunks, finite, unit_rows


def rotated_likeness(
    weights: Sequence[Weights], support: Support, phases: int
) -> Float[np.ndarray, "phase head head"]:
    """Return the mean centred cosine of every head with every head rotated.

    At phase p the second head's rows are shifted circularly within their own support by
    p/phases of the keys that each sees. Phase 0 is the likeness itself, S_row of
    `stats.rows.row_similarity`. Rotation keeps a row's sharpness and smoothness (but
    for the seam) and breaks the relation to other heads, the same in all samples.

    Parameters
    ----------
    weights
        One array per head, of any seeds, on the same samples.
    support
        Keys that a query may see; axes of size 1 stand for "the same for all".
    phases
        Number of rotations, ≥ 1; with as many as keys, every shift.

    Returns
    -------
    array
        In [−1, 1]; at phase p element [h, g] has g rotated. NaN where no row counts.
    """
    visible = np.broadcast_to(support, weights[0].shape)
    means = [PairMean(len(weights)) for _ in range(phases)]
    for part in chunks(weights[0].shape, 2 * len(weights)):
        seen = visible[part]
        raw = np.stack([finite(w[part], seen) for w in weights])
        units, defined = unit_rows(raw, np.linalg.norm(raw, axis=-1), seen)
        # Cosines do not depend on the order of keys: those that are seen come first.
        everything = bool(seen.all())
        if not everything:
            order = np.argsort(~seen, axis=-1, kind="stable")
            units = np.take_along_axis(units, order[None], axis=-1)
        n = seen.sum(axis=-1)
        for phase, mean in enumerate(means):
            shift = np.floor(phase * n / phases + 0.5)
            if everything:  # the same shift in all rows, which costs a copy and no index
                turned = np.roll(units, int(shift.flat[0]), axis=-1)
            else:
                index = _rotation(n, shift, units.shape[-1])
                turned = np.take_along_axis(units, index[None], axis=-1)
            mean.add(units, defined, turned)
    return np.stack([mean.result() for mean in means])


def _rotation(
    n: Int[np.ndarray, "sample query"], shift: Float[np.ndarray, "sample query"], keys: int
) -> Int[np.ndarray, "sample query key"]:
    """Return from where each of the first n keys is taken; the others stay."""
    key = np.arange(keys)
    n, whole = n[..., None], shift.astype(np.int64)[..., None]
    inside: Bool[np.ndarray, "sample query key"] = key < n
    return np.where(inside, (key - whole) % np.maximum(n, 1), key)
