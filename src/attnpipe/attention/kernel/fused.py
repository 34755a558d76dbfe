"""Observers that compute all streaming folds beside the attention itself."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores, row_blocks
from attnpipe.attention.kernel.engine import Engine, Kind, make_engine
from attnpipe.attention.kernel.heads import Head, blocks_of, heads_of, read
from attnpipe.attention.kernel.ranges import Ranges, ranges
from attnpipe.attention.kernel.record import Found, record, record_validity, reduce
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.streaming import StreamingBattery
from attnpipe.attention.kernel.sums import Totals
from attnpipe.attention.kernel.table import Layout
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.fold import Fold
from attnpipe.schema.analysis import MetricsSpec

_PLAIN_ELEMENTS = 2**20  # weights at a time where rows are shown to the plain folds
_TABLE_ROWS = 2**13  # rows whose tables are held at a time: a few MB

F = TypeVar("F", bound=Fold)


class Fused(LayerFolds[F]):
    """Folds of every layer, filled without showing them a row.

    In ``observing(…)`` inside `adapter.context.adapted`, each block of scores becomes weights,
    statistics and output while it is in the cache. Elementwise work is in float32, sums in
    float64; weights below e⁻⁸⁸ of the largest in a row are 0, so that `recent_distant_ratio`
    may be undefined in a row where float64 has a value. The model goes on with this output,
    which is its own to rounding. What it cannot do (see `supports`), it leaves to the plain
    folds, to which it shows the rows, and the output to the model.

    Parameters
    ----------
    make
        Layer → its folds.
    options
        Of the row metrics.
    kind
        The engine: ``native`` (C), ``array`` (torch and numpy); None: native where a C
        compiler is installed, else array.

    Attributes
    ----------
    folds
        Layer → its folds.
    engine
        The engine; its `name` is its kind.

    Raises
    ------
    UserError
        ``native`` is asked for, and there is no C compiler.
    """

    def __init__(
        self, make: Callable[[int], F], options: MetricsSpec, kind: Kind | None = None
    ) -> None:
        super().__init__(make)
        self._layout = Layout(options)
        self.engine: Engine = make_engine(self._layout, kind)

    @staticmethod
    def supports(scores: Scores) -> bool:
        """Return whether a layer can be fused.

        It must be on the CPU in float32 or less, without bias, each query must see a range
        of neighbouring keys, and these must be the expected ones: violations are for the
        plain folds to count.
        """
        return _ranges(scores) is not None

    def attend(self, layer: int, scores: Scores) -> Tensor | None:
        """Take in all rows of a layer.

        Returns
        -------
        Tensor or None
            Output, float32 ``[sample, head, query, vdim]``; None if it came out of no fused
            rows or a gradient is to flow through it: the model's own function makes it then.
        """
        found = self._ranges(scores)
        if found is None:
            self._show(layer, scores)
            return None
        if layer not in self.folds:
            self.folds[layer] = self._make(layer)
        samples, heads, queries, _ = scores.q.shape
        # laid out as the model goes on with it
        context = torch.empty(samples, queries, heads, scores.v.shape[-1]).transpose(1, 2)
        with torch.no_grad():
            self._fuse(self.folds[layer], scores, found, context)
        tensors = (scores.q, scores.k, scores.v)
        learning = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
        return None if learning else context

    @abstractmethod
    def _fuse(
        self,
        folds: F,
        scores: Scores,
        found: Ranges,
        context: Float[Tensor, "sample head query vdim"],
    ) -> None:
        """Fill the folds of a layer, and its output.

        The engine is to forget before folds are filled: what stays would lie behind what goes,
        and the heap could not give that back.
        """

    def _ranges(self, scores: Scores) -> Ranges | None:
        """Return the ranges that queries see; None: it cannot be fused."""
        return _ranges(scores)

    def _show(self, layer: int, scores: Scores) -> None:
        """Show the rows to the plain folds."""
        samples, heads, queries, _ = scores.q.shape
        step = max(1, _PLAIN_ELEMENTS // max(1, samples * heads * scores.k.shape[2]))
        for rows in row_blocks(queries, step):
            self.observe(layer, scores.block(rows))

    def _buffer(self, scores: Scores) -> Float[Tensor, " _"]:
        """Return room for a block of one head."""
        return torch.empty(min(self.engine.block_rows, scores.q.shape[2]) * scores.k.shape[2])


class FusedBattery(Fused[StreamingBattery]):
    """All streaming folds that need not know the tokens; see `Fused`."""

    def __init__(self, options: MetricsSpec, kind: Kind | None = None) -> None:
        super().__init__(lambda layer: StreamingBattery(options), options, kind)

    def _fuse(
        self,
        folds: StreamingBattery,
        scores: Scores,
        found: Ranges,
        context: Float[Tensor, "sample head query vdim"],
    ) -> None:
        rows, all_found = self._read(scores, found, context)
        self.engine.forget()
        samples = scores.samples.numpy()
        record(folds, samples, rows[0], all_found)
        record_validity(folds.validity, samples, rows, [one.reduced for one in all_found])

    def _read(
        self, scores: Scores, found: Ranges, context: Float[Tensor, "sample head query vdim"]
    ) -> tuple[list[Seen], list[Found]]:
        """Return what is found in each sample; fill the output."""
        buffer, columns = self._buffer(scores), self._layout.columns
        rows, all_found = [], []
        for sample in range(len(scores.q)):
            seen = seen_by(scores, found, sample)
            blocks = blocks_of(seen, self.engine.block_rows)
            totals = Totals.empty(scores.q.shape[1], scores.q.shape[2], scores.k.shape[2])
            parts = []
            for heads in groups(scores, sample):
                tables = np.full((len(heads), scores.q.shape[2], columns), np.nan)
                for table, (number, head) in zip(tables, heads, strict=True):
                    sums = totals.of(number, table)
                    read(self.engine, head, blocks, buffer, context[sample, number], sums)
                parts.append(reduce(seen.table(self._layout, tables), seen))
            rows.append(seen)
            all_found.append(Found.of(parts, totals, seen))
        return rows, all_found


def seen_by(scores: Scores, found: Ranges, sample: int) -> Seen:
    """Return what the rows of one sample of a batch see."""
    own = sample if len(found.first) > 1 else 0
    return Seen(
        found.first[own],
        found.last[own],
        found.counted[own],
        scores.query_positions.numpy(),
        scores.key_positions.numpy(),
    )


def groups(scores: Scores, sample: int) -> Iterator[list[tuple[int, Head]]]:
    """Yield the numbered heads of one sample, so many at a time that their tables are small."""
    size = max(1, _TABLE_ROWS // scores.q.shape[2])
    group: list[tuple[int, Head]] = []
    for numbered in enumerate(heads_of(scores, sample)):
        group.append(numbered)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _ranges(scores: Scores) -> Ranges | None:
    known = scores.q.device.type == "cpu" and scores.dtype == torch.float32
    return ranges(scores) if known and scores.bias is None else None
