"""Likeness of attention rows between seeds on the same inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from attnpipe.stats.profiles import ROUNDING

CHUNK_VALUES = 2_000_000
"""Weights held in float64 at a time: bounds memory at some tens of megabytes."""

Weights = Float[np.ndarray, "sample query key"]
Support = Bool[np.ndarray, "#sample #query key"]


@dataclass(frozen=True)
class RowSimilarity:
    """Mean likeness of rows for every pair of seeds; NaN where no row counts.

    Attributes
    ----------
    centred
        S_row: cosine of rows after removing each row's mean over its support, averaged
        over the rows of a sample, then over samples. In [−1, 1].
    residual
        S_res: the same after removing each seed's position mean as well: likeness of
        what depends on content.
    position
        The same as `centred` with each seed's position means in place of its rows: likeness
        that position alone gives.
    """

    centred: Float[np.ndarray, "seed seed"]
    residual: Float[np.ndarray, "seed seed"]
    position: Float[np.ndarray, "seed seed"]


def row_similarity(weights: Sequence[Weights], support: Support) -> RowSimilarity:
    """Compare the rows of one head between seeds, sample by sample.

    Uniform rows are alike by construction (raw cosine 1), so rows are centred first: a
    row that is constant on its support has no pattern, and no likeness. Rows that are
    constant or not finite, or see fewer than two keys, count for no pair.

    Parameters
    ----------
    weights
        One array per seed, float32, may be memory-mapped; weights off the support are ignored.
    support
        Keys that a query may see; axes of size 1 stand for "the same for all".
    """
    visible = np.broadcast_to(support, weights[0].shape)
    means = np.stack([position_mean(w, visible) for w in weights])[:, None]
    centred, residual, position = (PairMean(len(weights)) for _ in range(3))
    for part in chunks(weights[0].shape, len(weights)):
        seen = visible[part]
        raw = np.stack([finite(w[part], seen) for w in weights])
        scale = np.linalg.norm(raw, axis=-1)
        centred.add(*unit_rows(raw, scale, seen))
        mean = np.where(seen, means, 0.0)
        position.add(*unit_rows(mean, np.linalg.norm(mean, axis=-1), seen))
        raw -= mean
        residual.add(*unit_rows(raw, scale, seen))
    return RowSimilarity(centred.result(), residual.result(), position.result())


class PairMean:
    """Mean over rows within samples, then over samples, for every pair of seeds."""

    def __init__(self, seeds: int) -> None:
        self.total = np.zeros((seeds, seeds))
        self.samples = np.zeros((seeds, seeds))

    def add(
        self,
        units: Float[np.ndarray, "seed sample query key"],
        defined: Bool[np.ndarray, "seed sample query"],
        others: Float[np.ndarray, "seed sample query key"] | None = None,
    ) -> None:
        """Add samples: rows of length 1, or 0 where undefined; `others` stand on the right side."""
        right = units if others is None else others
        flat, flat_right = (x.reshape(*x.shape[:2], -1).transpose(1, 0, 2) for x in (units, right))
        counts = defined.astype(np.float64).transpose(1, 0, 2)
        products = flat @ flat_right.transpose(0, 2, 1)
        if counts.shape[-1] == 1:  # the mean of one row is itself, and none counts as 0
            self.samples += len(counts) if counts.all() else _both(counts).sum(axis=0)
            self.total += products[0] if len(products) == 1 else products.sum(axis=0)
            return
        rows = _both(counts)
        self.samples += (rows > 0).sum(axis=0)
        products /= np.maximum(rows, 1.0, out=rows)  # where no row counts, their product is 0
        self.total += products.sum(axis=0)

    def result(self) -> Float[np.ndarray, "seed seed"]:
        """Return the means, NaN where no row counted."""
        mean = np.full_like(self.total, np.nan)
        np.divide(self.total, self.samples, out=mean, where=self.samples > 0)
        return np.clip(mean, -1, 1)


def _both(counts: Float[np.ndarray, "sample seed query"]) -> Float[np.ndarray, "sample seed seed"]:
    """Return how many rows of a sample are defined in both of two seeds."""
    return np.asarray(counts @ counts.transpose(0, 2, 1))


def unit_rows(
    rows: Float[np.ndarray, "seed sample query key"],
    scale: Float[np.ndarray, "seed sample query"],
    seen: Bool[np.ndarray, "sample query key"],
) -> tuple[
    Float[np.ndarray, "seed sample query key"],
    Bool[np.ndarray, "seed sample query"],
]:
    """Return centred rows of length 1, zero where undefined, and which are defined."""
    n = np.maximum(seen.sum(axis=-1, keepdims=True), 1)
    centred = np.where(seen, rows - rows.sum(axis=-1, keepdims=True) / n, 0.0)
    norm = np.linalg.norm(centred, axis=-1)
    defined = norm > ROUNDING * scale
    safe = np.where(defined, norm, 1.0)[..., None]
    return np.where(defined[..., None], centred / safe, 0.0), defined


def position_mean(
    weights: Weights, visible: Bool[np.ndarray, "sample query key"]
) -> Float[np.ndarray, "query key"]:
    """Return the mean weight per query and key, over samples that see the key."""
    total = np.zeros(weights.shape[1:])
    count = np.zeros(weights.shape[1:])
    for part in chunks(weights.shape, 1):
        seen = visible[part]
        values = finite(weights[part], seen)
        total += values.sum(axis=0)
        count += (seen & values.any(axis=-1, keepdims=True)).sum(axis=0)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def finite(
    weights: Weights, seen: Bool[np.ndarray, "sample query key"]
) -> Float[np.ndarray, "sample query key"]:
    """Return weights in float64, zero off the support and in rows that are not finite."""
    known = np.isfinite(weights).all(axis=-1, keepdims=True)
    return np.where(seen & known, weights, 0.0).astype(np.float64)


def chunks(shape: tuple[int, ...], seeds: int) -> Iterator[slice]:
    """Yield slices over samples that keep memory bounded."""
    samples, *rest = shape
    size = max(1, CHUNK_VALUES // max(1, seeds * int(np.prod(rest))))
    for start in range(0, samples, size):
        yield slice(start, start + size)
