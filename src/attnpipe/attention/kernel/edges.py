"""Mass at both ends of many rows at once, each sum taken over the wanted keys only."""

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

_CHUNK = 32


class Edges:
    """Sums over keys before and from any key, from sums over chunks of keys.

    No sum is a difference of others, so that small masses keep their digits.

    Parameters
    ----------
    weights
        Rows of neighbouring keys.
    """

    def __init__(self, weights: Float[Tensor, "row width"]) -> None:
        self._weights = weights.numpy()
        rows, width = weights.shape
        whole = width // _CHUNK
        sums = np.zeros((rows, whole + 2))  # 0 before and after
        part = weights[:, : whole * _CHUNK].unflatten(-1, (whole, _CHUNK)).sum(-1) if whole else 0
        sums[:, 1 : whole + 1] = part
        self._before = np.cumsum(sums[:, :-1], axis=1)
        sums[:, whole + 1] = weights[:, whole * _CHUNK :].sum(-1)
        self._from = np.cumsum(sums[:, :0:-1], axis=1)[:, ::-1]

    def before(self, key: Int64[np.ndarray, "row place"]) -> Float[np.ndarray, "row place"]:
        """Return the mass of all keys before each of `key`."""
        chunk = key // _CHUNK
        whole: np.ndarray = np.take_along_axis(self._before, chunk, 1)
        whole += self._rest(chunk * _CHUNK, key)
        return whole

    def since(self, key: Int64[np.ndarray, "row place"]) -> Float[np.ndarray, "row place"]:
        """Return the mass of each of `key` and all later keys."""
        chunk, last = -(-key // _CHUNK), self._from.shape[1] - 1
        beyond = chunk > last  # within the keys after the last whole chunk
        found = np.take_along_axis(self._from, np.minimum(chunk, last), 1)
        whole: np.ndarray = np.where(beyond, 0.0, found)
        whole += self._rest(key, chunk * _CHUNK)
        return whole

    def _rest(
        self, start: Int64[np.ndarray, "row place"], stop: Int64[np.ndarray, "row place"]
    ) -> Float[np.ndarray, "row place"]:
        """Return the mass of less than a chunk of keys."""
        rows, width = self._weights.shape
        key = start[..., None] + np.arange(_CHUNK)
        inside = (key < stop[..., None]) & (key < width)
        row = width * np.arange(rows)[:, None, None]
        some = np.take(self._weights.reshape(-1), row + np.minimum(key, width - 1))
        mass: np.ndarray = np.vecdot(some, inside.astype(some.dtype))
        return mass.astype(np.float64)
