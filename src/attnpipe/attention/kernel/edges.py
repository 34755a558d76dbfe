"""Mass of ranges of keys of many rows at once."""

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

_CHUNK = 32


class Edges:
    """Sums over ranges of keys, from sums over chunks of keys.

    No sum is a difference of others, so that small masses keep their digits.

    Parameters
    ----------
    weights
        Rows of neighbouring keys.
    """

    def __init__(self, weights: Float[Tensor, "row width"]) -> None:
        self._weights = weights.numpy()
        self._chunks = weights.shape[1] // _CHUNK
        whole = weights[:, : self._chunks * _CHUNK].unflatten(-1, (self._chunks, _CHUNK))
        self._sums = whole.sum(-1).numpy()

    def between(
        self, start: Int64[np.ndarray, " row"], stop: Int64[np.ndarray, " row"]
    ) -> Float[np.ndarray, " row"]:
        """Return the mass of the keys ``start … stop − 1`` of each row; 0 if there are none."""
        first, last = -(-start // _CHUNK), np.minimum(stop // _CHUNK, self._chunks)
        chunk = np.arange(self._chunks)
        inside = (chunk >= first[:, None]) & (chunk < last[:, None])
        mass: np.ndarray = np.vecdot(self._sums, inside.astype(np.float32))
        head_stop = np.minimum(first * _CHUNK, stop)
        tail = self._few(np.maximum(last * _CHUNK, head_stop), stop)
        return np.asarray(mass.astype(np.float64) + self._few(start, head_stop) + tail)

    def _few(
        self, start: Int64[np.ndarray, " row"], stop: Int64[np.ndarray, " row"]
    ) -> Float[np.ndarray, " row"]:
        """Return the same for less than a chunk of keys."""
        key = start[:, None] + np.arange(_CHUNK)
        some = np.take_along_axis(self._weights, np.minimum(key, self._weights.shape[1] - 1), 1)
        mass: np.ndarray = np.vecdot(some, (key < stop[:, None]).astype(np.float32))
        return mass.astype(np.float64)
