"""Mass of ranges of keys of many rows at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

_CHUNK = 32
_STEPS = np.arange(_CHUNK)


@dataclass(frozen=True)
class Range:
    """A range of keys of each row, taken apart into whole chunks and keys beside them.

    Attributes
    ----------
    chunks
        1 for a chunk of which all keys are in the range.
    beside
        Places in the flat block.
    within
        1 for those of `beside` that are in the range.
    """

    chunks: Float[np.ndarray, "row chunk"]
    beside: Int64[np.ndarray, "row place"]
    within: Float[np.ndarray, "row place"]

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
        key = np.concatenate([start[:, None] + _STEPS, tail[:, None] + _STEPS], axis=1)
        end = np.repeat(np.stack([head_stop, stop], axis=1), _CHUNK, axis=1)
        row = (np.arange(len(start)) * width)[:, None]
        return cls(
            inside.astype(np.float32),
            row + np.minimum(key, width - 1),
            (key < end).astype(np.float32),
        )


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
        return np.asarray(whole + np.vecdot(self._weights.take(keys.beside), keys.within))
