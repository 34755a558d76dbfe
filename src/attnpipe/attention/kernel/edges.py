"""Mass of ranges of keys of many rows at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64
from torch import Tensor

_CHUNK = 32
_STEPS = np.arange(_CHUNK)


@dataclass(frozen=True)
class Range:
    """A range of keys of each row, taken apart into whole chunks and keys beside them.

    Attributes
    ----------
    chunks
        Chunks of which all keys are in the range.
    beside
        Places in the flat block where the keys before and behind the chunks begin.
    within
        Which of the next places are in the range; they may be beyond the row's end.
    """

    chunks: Bool[np.ndarray, "row chunk"]
    beside: Int64[np.ndarray, "row 2"]
    within: Bool[np.ndarray, "row place"]

    @classmethod
    def of(
        cls, start: Int64[np.ndarray, " row"], stop: Int64[np.ndarray, " row"], width: int
    ) -> "Range":
        """Return the range of the keys ``start … stop − 1`` in a block of that width."""
        chunks = width // _CHUNK
        first, last = -(-start // _CHUNK), np.minimum(stop // _CHUNK, chunks)
        chunk = np.arange(chunks)
        inside = (chunk >= first[:, None]) & (chunk < last[:, None])
        head_stop = np.minimum(first * _CHUNK, stop)
        tail = np.maximum(last * _CHUNK, head_stop)
        begin, end = np.stack([start, tail], axis=1), np.stack([head_stop, stop], axis=1)
        within = begin[..., None] + _STEPS < end[..., None]
        row = (np.arange(len(start)) * width)[:, None]
        return cls(inside, row + begin, within.reshape(len(start), -1))


class Edges:
    """Sums over ranges of keys, from sums over chunks of keys.

    No sum is a difference of others, so that small masses keep their digits.

    Parameters
    ----------
    weights
        Rows of neighbouring keys.
    """

    def __init__(self, weights: Float[Tensor, "row width"]) -> None:
        self._weights = weights.numpy().ravel()
        chunks = weights.shape[1] // _CHUNK
        whole = weights[:, : chunks * _CHUNK].unflatten(-1, (chunks, _CHUNK))
        self._sums = whole.sum(-1).numpy()

    def mass(self, keys: Range) -> Float[np.ndarray, " row"]:
        """Return the mass of a range of each row; 0 if it is empty."""
        whole = np.vecdot(self._sums, keys.chunks).astype(np.float64)
        place = (keys.beside[..., None] + _STEPS).reshape(keys.within.shape)
        beside = self._weights.take(place, mode="clip")
        own = np.where(keys.within, beside, np.float32(0))  # a NaN of the next row stays there
        return np.asarray(whole + own.sum(-1))
