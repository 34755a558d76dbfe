"""Which keys the rows of a block see, and what follows from that alone."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Int64
from torch import Tensor

from attnpipe.attention.kernel.edges import Range


@dataclass(frozen=True)
class Keys:
    """Keys of a block, the same in every head: what is computed once is kept.

    Attributes
    ----------
    start, stop
        Each row sees the keys ``start … stop − 1`` of the block.
    width
        Keys of the block.
    hidden
        Keys that are not seen although they lie in that range, ascending.
    recent
        Each k of the recent masses.
    """

    start: Int64[np.ndarray, " row"]
    stop: Int64[np.ndarray, " row"]
    width: int
    hidden: Int64[np.ndarray, " hidden"]
    recent: tuple[int, ...]

    @cached_property
    def seen(self) -> Bool[np.ndarray, "row hidden"]:
        """Which of the hidden keys lie in the range."""
        return np.asarray((self.start[:, None] <= self.hidden) & (self.hidden < self.stop[:, None]))

    @cached_property
    def n(self) -> Int64[np.ndarray, " row"]:
        """How many are seen; at least 1."""
        return np.asarray(np.maximum(self.stop - self.start - self.seen.sum(axis=1), 1))

    @cached_property
    def all(self) -> "Keys":
        """The same with none hidden."""
        if not len(self.hidden):
            return self
        return Keys(self.start, self.stop, self.width, self.hidden[:0], self.recent)

    @cached_property
    def newest(self) -> Range:
        """The newest quarter."""
        return Range.of(self.last(self.n // 4), self.stop, self.width)

    @cached_property
    def oldest(self) -> Range:
        """The oldest quarter."""
        return Range.of(self.start, self.first(self.n // 4), self.width)

    def last(self, count: Int64[np.ndarray, " row"]) -> Int64[np.ndarray, " row"]:
        """Return where the last so many of them begin."""
        begin = self.stop - count
        for key in self.hidden[::-1]:
            begin = begin - ((begin <= key) & (key < self.stop))
        return np.asarray(np.maximum(begin, self.start))

    def first(self, count: Int64[np.ndarray, " row"]) -> Int64[np.ndarray, " row"]:
        """Return where the first so many of them end."""
        end = self.start + count
        for key in self.hidden:
            end = end + ((self.start <= key) & (key < end))
        return np.asarray(np.minimum(end, self.stop))

    def recent_masses(self, p: Float[np.ndarray, "row width"]) -> Float[np.ndarray, "row k"]:
        """Return the masses of the k newest keys of each row."""
        if not self.recent:
            return np.zeros((len(p), 0))
        place, within, last = self._newest_first
        mass = (p.ravel().take(place) * within).cumsum(-1, dtype=np.float64)
        return np.asarray(mass.ravel().take(last))

    @cached_property
    def _newest_first(
        self,
    ) -> tuple[
        Int32[np.ndarray, "row some"], Bool[np.ndarray, "row some"], Int64[np.ndarray, "row k"]
    ]:
        """Places of the newest keys, which of them are in the range, and how far each k goes."""
        rows = np.arange(len(self.stop))[:, None]
        most = min(self.recent[-1] + len(self.hidden), self.width)
        key = self.stop[:, None] - 1 - np.arange(most)
        counts = (np.full_like(self.stop, min(k, self.width)) for k in self.recent)
        ends = np.stack([self.stop - self.last(count) for count in counts], -1)
        return (
            (rows * self.width + np.maximum(key, 0)).astype(np.int32),
            key >= self.start[:, None],
            rows * most + np.clip(ends, 1, most) - 1,
        )

    @cached_property
    def _outside(self) -> tuple[Bool[Tensor, "row left"], Bool[Tensor, "row right"], int]:
        """What the first and the last columns hide from some rows, and where the last begin."""
        key = np.arange(self.width)
        left, right = min(self.width, int(self.start.max())), max(0, int(self.stop.min()))
        return (
            torch.from_numpy(key[:left] < self.start[:, None]),
            torch.from_numpy(key[right:] >= self.stop[:, None]),
            right,
        )

    def hide(self, scores: Float[Tensor, "row width"], value: float) -> None:
        """Put a value where a row does not see; other columns are not visited."""
        left, right, begin = self.all._outside  # one for both
        if left.shape[1]:
            scores[:, : left.shape[1]].masked_fill_(left, value)
        if right.shape[1]:
            scores[:, begin:].masked_fill_(right, value)
        if len(self.hidden):
            scores[:, torch.from_numpy(self.hidden)] = value
