"""The engine in torch and numpy alone: for machines without a C compiler."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Int64
from torch import Tensor

from attnpipe.attention.kernel.edges import Edges
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.table import FIXED, Layout

_SMALLEST = -88.0  # exp of it is about the smallest normal float32


class ArrayRows:
    """Visits a block about fifteen times, where `native_rows.NativeRows` visits it once.

    Sums over keys are float32, in lanes or pairwise. Temporary arrays are kept between
    blocks: fresh ones of this size come from the system page by page, which takes longer
    than to fill them.

    Parameters
    ----------
    layout
        Of the table.
    """

    name = "array"
    block_rows = 256  # calls cost more than temporary arrays that leave the cache

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._kept: dict[str, Tensor] = {}

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
        width, stop_query = scores.shape[1], query + len(first)
        start, stop = (x.astype(np.int64) - low for x in (first, last))
        _hide(scores, start, stop, -torch.inf)
        peak = scores.numpy().argmax(-1)
        largest = np.take_along_axis(scores.numpy(), peak[:, None], -1)
        depth = torch.sub(scores, torch.from_numpy(largest), out=self._like(scores, "depth"))
        torch.exp(depth, out=scores)
        total = scores.sum(-1).double()
        scores.mul_((1.0 / total).float()[:, None])
        weights = scores
        chosen = counted & (start < stop) & np.isfinite(total.numpy())
        if not chosen.all():
            scores.masked_fill_(torch.from_numpy(start >= stop)[:, None], 0.0)
            weights = torch.where(torch.from_numpy(chosen)[:, None], scores, 0.0)
            start, stop = start.clip(0, width), stop.clip(0, width)
        table = self._table(weights, depth, start, stop, peak, total.numpy(), low)
        sums.table[query:stop_query][chosen] = table[chosen]
        sums.mass[low : low + width] += weights.sum(0).numpy()
        self._add_steps(weights, low - stop_query + len(sums.table), sums)

    def _table(
        self,
        weights: Float[Tensor, "row width"],
        depth: Float[Tensor, "row width"],
        start: Int64[np.ndarray, " row"],
        stop: Int64[np.ndarray, " row"],
        peak: Int64[np.ndarray, " row"],
        total: Float[np.ndarray, " row"],
        low: int,
    ) -> Float[np.ndarray, "row column"]:
        width, n, p = weights.shape[1], np.maximum(stop - start, 1), weights.numpy()
        energy = np.vecdot(p, depth.clamp_(min=_SMALLEST).numpy())  # 0 · ∞
        place = torch.arange(width, dtype=torch.float32)
        lag = torch.sub(place, torch.from_numpy(peak)[:, None], out=depth)
        offset = np.vecdot(p, lag.numpy()).astype(np.float64)
        pull = torch.mul(weights, lag, out=self._like(weights, "other"))
        square = np.vecdot(pull.numpy(), lag.numpy())
        share = torch.from_numpy((1.0 / n).astype(np.float32))
        apart = torch.sub(weights, share[:, None], out=self._like(weights, "other"))
        _hide(apart, start, stop, 0.0)
        uneven = n * np.vecdot(apart.numpy(), apart.numpy())
        ascending = self._like(weights, "other").copy_(weights).numpy()
        ascending.view(np.int32).sort(axis=-1)  # same order, as none is negative, and faster
        middle = (width - 1) / 2.0
        ranked = np.vecdot(ascending, (place - middle).numpy()).astype(np.float64)
        edges, top, recent = Edges(weights), self._layout.top, self._layout.recent
        columns = {
            "entropy": np.clip(np.log(total) - energy, 0.0, np.log(n)),
            "unevenness": uneven,
            "ascending": ranked + middle + 1.0 - (width - n),
            "largest": 1.0 / total,
            "second": ascending[:, max(0, width - 2)] * (n > 1),
            "peak": peak + low,
            "offset": offset,
            "spread": np.sqrt(np.maximum(square - offset**2, 0.0)),
            "newest": edges.between(stop - n // 4, stop),
            "oldest": edges.between(start, start + n // 4),
        }
        key = stop[:, None] - 1 - np.arange(min(max(recent, default=0), width))
        newest = np.take_along_axis(p, np.maximum(key, 0), -1) * (key >= start[:, None])
        newest = newest.cumsum(-1, dtype=np.float64)
        largest = ascending[:, ::-1][:, : max(top, default=0)].cumsum(-1, dtype=np.float64)
        return np.column_stack(
            [
                *(columns[name] for name in FIXED),
                largest[:, np.minimum(top, width) - 1],
                newest[:, np.minimum(recent, width) - 1],
            ]
        )

    def _add_steps(self, weights: Float[Tensor, "row width"], begin: int, sums: Sums) -> None:
        """Add weights by key − query: rows are laid out one step apart, then summed."""
        rows, width = weights.shape
        skewed = self._empty("other", (rows, width + rows)).zero_()
        skewed.as_strided((rows, width), (width + rows - 1, 1), rows - 1).copy_(weights)
        steps = width + rows - 1
        sums.by_step[begin : begin + steps] += skewed.sum(0)[:steps].numpy()

    def _like(self, block: Tensor, name: str) -> Tensor:
        return self._empty(name, (block.shape[0], block.shape[1]))

    def _empty(self, name: str, shape: tuple[int, int]) -> Tensor:
        """Return an array whose content does not matter."""
        wanted, kept = math.prod(shape), self._kept.get(name)
        if kept is None or kept.shape[0] < wanted:
            kept = self._kept[name] = torch.empty(wanted)
        return kept[:wanted].view(shape)


def _hide(
    scores: Float[Tensor, "row width"],
    start: Int64[np.ndarray, " row"],
    stop: Int64[np.ndarray, " row"],
    value: float,
) -> None:
    """Put a value where a row does not see; only columns that some row does not see are visited."""
    key, width = np.arange(scores.shape[1]), scores.shape[1]
    left, right = min(width, int(start.max())), max(0, int(stop.min()))
    if left > 0:
        hidden = torch.from_numpy(key[:left] < start[:, None])
        scores[:, :left].masked_fill_(hidden, value)
    if right < width:
        hidden = torch.from_numpy(key[right:] >= stop[:, None])
        scores[:, right:].masked_fill_(hidden, value)
