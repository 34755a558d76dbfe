"""The engine in C."""

import ctypes

import numpy as np
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from attnpipe.attention.kernel.native import Native
from attnpipe.attention.kernel.sums import MOST_REMOVED, Rest, Sums
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
    block_rows = 128  # scores of 2,048 keys fit into a megabyte of cache

    def __init__(self, layout: Layout, native: Native) -> None:
        if native.library is None:
            raise ValueError(native.note)
        self._library, self._layout = native.library, layout
        self._scratch = np.zeros(0, np.uint8)
        self._call: _Call | None = None

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
        rest: Rest | None = None,
    ) -> None:
        """Turn scores into weights, in place, and add up; see `engine.Engine`."""
        rows, width = scores.shape
        wanted = self._library.attnpipe_scratch_bytes(rows, width)
        if len(self._scratch) < wanted:
            self._scratch = np.zeros(wanted, np.uint8)
        call = self._call
        if call is None or call.sums is not sums or call.rest is not rest:
            call = self._call = _Call(self._layout, sums, rest)
        self._library.attnpipe_rows(
            scores.data_ptr(), scores.stride(0), rows, width,
            first.ctypes.data, last.ctypes.data, counted.ctypes.data,
            low, query, len(sums.table), *call.arguments, self._scratch.ctypes.data,
        )  # fmt: skip

    def distances(
        self, weights: Float[Tensor, "head row width"], valid: Bool[np.ndarray, "head row"]
    ) -> Float[np.ndarray, "head head"]:
        """Return sums of distances between heads; see `engine.Engine`."""
        heads, rows, width = weights.shape
        total = np.zeros((heads, heads))
        weights, valid = weights.contiguous(), np.ascontiguousarray(valid)
        self._library.attnpipe_distances(
            weights.data_ptr(), heads, rows, width, valid.ctypes.data, total.ctypes.data
        )
        return np.asarray(total + total.T)

    def forget(self) -> None:
        """Let go of what is kept between blocks."""
        self._scratch, self._call = np.zeros(0, np.uint8), None


_SUMS = ("table", "mass", "by_step", "prefix", "compared")


class _Asked(ctypes.Structure):
    _fields_ = [
        ("top", ctypes.c_void_p),
        ("recent", ctypes.c_void_p),
        ("n_top", ctypes.c_int32),
        ("n_recent", ctypes.c_int32),
        ("columns", ctypes.c_int32),
        ("split", ctypes.c_int32),
    ]


class _Sums(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in _SUMS]


def _sums(sums: Sums) -> _Sums:
    return _Sums(*(getattr(sums, name).ctypes.data for name in _SUMS))


class _Call:
    """What is the same for all blocks of a head."""

    def __init__(self, layout: Layout, sums: Sums, rest: Rest | None) -> None:
        removed = np.zeros(0, np.int32) if rest is None else rest.removed
        if len(removed) > MOST_REMOVED:
            raise ValueError(f"{len(removed)} keys cannot be removed, only {MOST_REMOVED}")
        top, recent = layout.top, layout.recent
        asked = _Asked(
            top.ctypes.data, recent.ctypes.data, len(top), len(recent), layout.columns,
            len(sums.prefix),
        )  # fmt: skip
        self.sums, self.rest = sums, rest
        self._alive = removed, top, recent  # as long as they are pointed at
        self.arguments = (
            ctypes.byref(asked), removed.ctypes.data, len(removed), ctypes.byref(_sums(sums)),
            None if rest is None else ctypes.byref(_sums(rest.sums)),
        )  # fmt: skip
