"""The engine in C."""

import numpy as np
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from attnpipe.attention.kernel.native import Native
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.table import Layout


class NativeRows:
    """Calls `rows.c`.

    Parameters
    ----------
    layout
        Of the table.
    native
        With a library.
    """

    name = "native"
    block_rows = 96  # scores of 2,700 keys fit into a megabyte of cache

    def __init__(self, layout: Layout, native: Native) -> None:
        if native.library is None:
            raise ValueError(native.note)
        self._library = native.library
        self._top, self._recent = layout.top, layout.recent
        self._scratch = np.zeros(0, np.uint8)

    def rows(
        self,
        scores: Float[Tensor, "row width"],
        first: Int32[np.ndarray, " row"],
        last: Int32[np.ndarray, " row"],
        counted: Bool[np.ndarray, " row"],
        *,
        low: int,
        query: int,
        sums: Sums,
    ) -> None:
        """Turn scores into weights, in place, and add up; see `engine.Engine`."""
        rows, width = scores.shape
        wanted = self._library.attnpipe_scratch_bytes(rows, width)
        if len(self._scratch) < wanted:
            self._scratch = np.zeros(wanted, np.uint8)
        table = sums.table[query:]
        self._library.attnpipe_rows(
            scores.data_ptr(), scores.stride(0), rows, width,
            _pointer(first), _pointer(last), _pointer(counted),
            low, query, len(sums.table),
            _pointer(self._top), len(self._top), _pointer(self._recent), len(self._recent),
            _pointer(table), table.shape[1],
            _pointer(sums.mass), _pointer(sums.by_step), _pointer(self._scratch),
        )  # fmt: skip


def _pointer(array: np.ndarray) -> int:
    return array.ctypes.data
