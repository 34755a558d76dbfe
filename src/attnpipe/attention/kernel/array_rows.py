"""The engine in torch and numpy alone: for machines without a C compiler."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int32
from torch import Tensor

from attnpipe.attention.kernel.array_hidden import complete, put_back, weigh
from attnpipe.attention.kernel.array_table import Rows, Spare, statistics
from attnpipe.attention.kernel.keys import Keys
from attnpipe.attention.kernel.sums import Rest, Sums
from attnpipe.attention.kernel.table import FIXED, Layout
from attnpipe.metrics.tokens.sinks import LEAST_LEFT

_PEAK, _SHARE, _PREFIX = (FIXED.index(name) for name in ("peak", "share", "prefix"))

_KNOWN = 2**15
"""Columns of blocks whose keys are kept: all blocks of a text of 2,896 tokens, some megabytes."""


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
        self._spare = Spare()
        self._known: dict[tuple[int, int, bytes, bytes, bytes], Keys] = {}

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
        width, own = scores.shape[1], slice(query, query + len(first))
        compared = [each.compared[own].any() for each in (sums, *([rest.sums] if rest else []))]
        split = len(sums.prefix) - low if any(compared) else 0
        if not counted.any():
            self._weights_alone(scores, first, last, low)
            return
        keys = self._keys_of(first, last, low, width, rest)
        sees = keys.start < keys.stop
        keys.all.hide(scores, -torch.inf)
        held = scores[:, torch.from_numpy(keys.hidden)].numpy()
        if len(keys.hidden):
            scores[:, torch.from_numpy(keys.hidden)] = -torch.inf
        peak = scores.numpy().argmax(-1)
        largest = np.take_along_axis(scores.numpy(), peak[:, None], -1)
        reference = torch.from_numpy(np.where(largest == -np.inf, np.float32(0), largest))
        depth = torch.sub(scores, reference, out=self._spare.like(scores, "depth"))
        torch.exp(depth, out=scores)
        total = scores.sum(-1).double().numpy()
        hidden = weigh(held, largest[:, 0].astype(np.float64), total)
        scale(scores, 1.0 / np.where(total == 0, 1.0, total))
        chosen = counted & sees & ~np.isnan(hidden.left)
        if not chosen.all():
            start, stop = keys.start.clip(0, width), keys.stop.clip(0, width)
            keys = replace(keys, start=start, stop=stop)
        weights = _of_rows(scores, chosen)
        rows = Rows(weights, depth, keys, peak, np.where(chosen, total, 1.0), split)
        found = statistics(rows, self._layout, self._spare)
        table, gone = found.table, hidden.of_rows(chosen)
        given = [_Given(sums, chosen, np.where(chosen, 1.0, 0.0))]
        if rest is not None:
            left = np.where((total > 0)[:, None], table, np.nan)
            left[:, _SHARE] = hidden.left
            enough = chosen & (hidden.left >= LEAST_LEFT)
            again = np.where(enough, 1.0 / np.where(enough, hidden.left, 1.0), 0.0)
            given.append(_Given(rest.sums, chosen, again))
            given[1].fill(left, low, query)
        scale(scores, np.where(sees, hidden.left, 0.0))
        if len(keys.hidden):
            weights = _of_rows(scores, chosen)
            table = complete(
                weights, keys, gone, largest[:, 0], found, split, self._layout, self._spare
            )
            weights[:, torch.from_numpy(keys.hidden)] = 0.0
        given[0].fill(table, low, query)
        self._add(_of_rows(scores, chosen), given, low, query)
        if len(keys.hidden):
            given[0].add_hidden(gone.added, keys.hidden, low, query)
            put_back(scores, keys, hidden)

    @staticmethod
    def _weights_alone(
        scores: Float[Tensor, "row width"],
        first: Int32[np.ndarray, " row"],
        last: Int32[np.ndarray, " row"],
        low: int,
    ) -> None:
        """Turn scores into weights; what such rows see is seldom asked for again."""
        start, stop = (x.astype(np.int64) - low for x in (first, last))
        Keys(start, stop, scores.shape[1], np.zeros(0, np.int64), ()).hide(scores, -torch.inf)
        torch.softmax(scores, -1, out=scores)
        scores.masked_fill_(torch.from_numpy(start >= stop)[:, None], 0.0)

    def _keys_of(
        self,
        first: Int32[np.ndarray, " row"],
        last: Int32[np.ndarray, " row"],
        low: int,
        width: int,
        rest: Rest | None,
    ) -> Keys:
        """Return what rows see; heads that come one after the other see the same."""
        removed = np.zeros(0, np.int64) if rest is None else rest.removed.astype(np.int64) - low
        hidden = removed[(removed >= 0) & (removed < width)]
        mark = (low, width, first.tobytes(), last.tobytes(), hidden.tobytes())
        if mark not in self._known:
            if len(self._known) * width >= _KNOWN:
                self._known.clear()
            start, stop = (x.astype(np.int64) - low for x in (first, last))
            recent = tuple(self._layout.recent.tolist())
            self._known[mark] = Keys(start, stop, width, hidden, recent)
        return self._known[mark]

    def distances(
        self, weights: Float[Tensor, "head row width"], valid: Bool[np.ndarray, "head row"]
    ) -> Float[np.ndarray, "head head"]:
        """Return sums of distances between heads; see `engine.Engine`."""
        heads = len(weights)
        total, counts = np.zeros((heads, heads)), valid.astype(np.float64)
        for i in range(heads - 1):
            share = divergence(weights[i], weights[i + 1 :]).double().numpy() / np.log(2)
            far = np.where(counts[i + 1 :] * counts[i] > 0, np.sqrt(share.clip(0.0, 1.0)), 0.0)
            total[i, i + 1 :] = far @ counts[i]
        return np.asarray(total + total.T)

    def forget(self) -> None:
        """Let go of large arrays. What rows see is kept: it is the same in the next layer."""
        self._spare = Spare()

    def _add(
        self, weights: Float[Tensor, "row width"], given: "list[_Given]", low: int, query: int
    ) -> None:
        """Add rows, hidden keys being 0, to all sums at once."""
        rows, width = weights.shape
        factors = torch.from_numpy(np.stack([each.factor for each in given]).astype(np.float32))
        mass, steps = (factors @ weights).numpy(), self._by_step(weights, factors).numpy()
        begin = low - query - rows + len(given[0].sums.table)
        for own, of_key, of_step in zip(given, mass, steps, strict=True):
            own.sums.mass[low : low + width] += of_key
            own.sums.by_step[begin : begin + width + rows - 1] += of_step
        shares = np.stack([each.of_prefix(query) for each in given])
        if shares.any():
            split = min(width, len(given[0].sums.prefix) - low)
            parts = torch.from_numpy(shares.astype(np.float32)) @ weights[:, :split]
            for own, part in zip(given, parts.numpy(), strict=True):
                own.sums.prefix[low : low + split] += part

    def _by_step(
        self, weights: Float[Tensor, "row width"], factors: Float[Tensor, "sum row"]
    ) -> Float[Tensor, "sum step"]:
        """Return sums by key − query: rows are laid out one step apart, then summed."""
        rows, width = weights.shape
        skewed = self._spare.empty("depth", (rows, width + rows)).zero_()
        skewed.as_strided((rows, width), (width + rows - 1, 1), rows - 1).copy_(weights)
        return (factors @ skewed)[:, :-1]


@dataclass(frozen=True)
class _Given:
    """Rows of a block that are given to sums.

    Attributes
    ----------
    sums
        What they are added to.
    chosen
        Rows that are distributions.
    factor
        By which each row is multiplied; 0: it stays out.
    """

    sums: Sums
    chosen: Bool[np.ndarray, " row"]
    factor: Float[np.ndarray, " row"]

    def fill(self, table: Float[np.ndarray, "row column"], low: int, query: int) -> None:
        """Fill the rows of the table, whose peaks are changed to count from the first key."""
        table[:, _PEAK] += low
        self.sums.table[query : query + len(table)][self.chosen] = table[self.chosen]

    def of_prefix(self, query: int) -> Float[np.ndarray, " row"]:
        """Return the factors that make rows sum to 1 on the prefix."""
        own = slice(query, query + len(self.chosen))
        prefix = self.sums.table[own, _PREFIX]
        counts = self.chosen & self.sums.compared[own]
        counts[counts] = prefix[counts] >= LEAST_LEFT
        return np.where(counts, self.factor / np.where(counts, prefix, 1.0), 0.0)

    def add_hidden(
        self,
        added: Float[np.ndarray, "row hidden"],
        keys: Int[np.ndarray, " hidden"],
        low: int,
        query: int,
    ) -> None:
        """Add the weights of hidden keys of the block."""
        rows = len(added)
        begin = low - query - rows + len(self.sums.table)
        own = added * self.factor[:, None]
        early = self.of_prefix(query) @ added
        for i, key in enumerate(keys.tolist()):
            self.sums.mass[low + key] += own[:, i].sum()
            self.sums.by_step[begin + key : begin + key + rows] += own[::-1, i]
            if low + key < len(self.sums.prefix):
                self.sums.prefix[low + key] += early[i]


def divergence(
    a: Float[Tensor, "row width"], others: Float[Tensor, "other row width"]
) -> Float[Tensor, "other row"]:
    """Return the Jensen–Shannon divergence of rows, nats, by the sum that `pairs.h` explains."""
    both = others + a
    apart = (others - a).abs_().div_(both.clamp(min=1e-37))
    same = torch.sub(1.0, apart)
    torch.sub(1.0, same, out=apart)  # rounding of one is the other's, too
    terms = same.clamp(min=1e-30).log_().mul_(same)
    terms.addcmul_(torch.log1p(apart, out=same), apart.add_(1.0))
    return torch.from_numpy(np.vecdot(both.numpy(), terms.numpy())).mul_(0.25)


def scale(scores: Float[Tensor, "row width"], factor: Float[np.ndarray, " row"]) -> None:
    """Multiply each row, in place."""
    scores.mul_(torch.from_numpy(factor.astype(np.float32))[:, None])


def _of_rows(
    weights: Float[Tensor, "row width"], chosen: Bool[np.ndarray, " row"]
) -> Float[Tensor, "row width"]:
    """Return the rows that are chosen, the others 0; the same array if all are."""
    if chosen.all():
        return weights
    return torch.where(torch.from_numpy(chosen)[:, None], weights, 0.0)
