"""An observer that computes the streaming battery beside the attention itself."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores, row_blocks
from attnpipe.attention.kernel.engine import Engine, Kind, make_engine
from attnpipe.attention.kernel.ranges import Ranges, ranges
from attnpipe.attention.kernel.record import Reduced, Seen, record, reduce
from attnpipe.attention.kernel.streaming import StreamingBattery
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.table import Layout
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.block import Block
from attnpipe.schema.analysis import MetricsSpec

_PLAIN_ELEMENTS = 2**20  # weights at a time where rows are shown to the plain folds


class FusedBattery(LayerFolds[StreamingBattery]):
    """All streaming folds of every layer, filled without showing them a row.

    In ``observing(FusedBattery(options))`` inside `adapter.context.adapted`, each block of
    scores becomes weights, statistics and output while it is in the cache. Elementwise work
    is in float32, sums in float64; weights below e⁻⁸⁷ of the largest in a row are 0, so that
    `recent_distant_ratio` may be undefined in a row where float64 has a value. What it cannot
    do (see `supports`), it leaves to the plain folds, to which it shows the rows.

    Parameters
    ----------
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

    def __init__(self, options: MetricsSpec, kind: Kind | None = None) -> None:
        super().__init__(lambda layer: StreamingBattery(options))
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
        found = _ranges(scores)
        if found is None:
            self._show(layer, scores)
            return None
        if layer not in self.folds:
            self.folds[layer] = self._make(layer)
        with torch.no_grad():
            context = self._fused(self.folds[layer], scores, found)
        tensors = (scores.q, scores.k, scores.v)
        learning = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
        return None if learning else context

    def _show(self, layer: int, scores: Scores) -> None:
        """Show the rows to the plain folds."""
        samples, heads, queries, _ = scores.q.shape
        step = max(1, _PLAIN_ELEMENTS // max(1, samples * heads * scores.k.shape[2]))
        for rows in row_blocks(queries, step):
            block = Block(
                scores.weights(rows).detach().transpose(0, 1),
                scores.support(rows),
                scores.query_positions[rows],
                scores.key_positions,
                scores.samples,
            )
            self.observe(layer, block)

    def _fused(
        self, battery: StreamingBattery, scores: Scores, found: Ranges
    ) -> Float[Tensor, "sample head query vdim"]:
        samples, heads, queries, _ = scores.q.shape
        shared = heads // scores.k.shape[1]
        context = torch.empty(samples, heads, queries, scores.v.shape[-1])
        positions = scores.query_positions.numpy(), scores.key_positions.numpy()
        buffer = torch.empty(min(self.engine.block_rows, queries) * scores.k.shape[2])
        reduced: list[Reduced] = []
        for sample in range(samples):
            own = sample if len(found.first) > 1 else 0
            seen = Seen(found.first[own], found.last[own], found.counted[own], *positions)
            each = []
            for head in range(heads):
                if head % shared == 0:
                    k, v = (x[sample, head // shared].float() for x in (scores.k, scores.v))
                    k, v = k.contiguous(), v.contiguous()
                q = scores.q[sample, head].float() * scores.scale
                out = context[sample, head]
                each.append(self._head(q, k, v, scores.softcap, seen, buffer, out))
            reduced.append(reduce(self._layout, seen, each))
        record(battery, scores.samples.numpy(), seen, reduced)
        return context

    def _head(
        self,
        q: Float[Tensor, "query dim"],
        k: Float[Tensor, "key dim"],
        v: Float[Tensor, "key vdim"],
        softcap: float | None,
        seen: Seen,
        buffer: Float[Tensor, " _"],
        context: Float[Tensor, "query vdim"],
    ) -> Sums:
        """Fill the output of one head of one sample, whose scores are ``q @ k.T``; sum up."""
        queries, keys = len(q), len(k)
        sums = Sums(
            table=np.full((queries, self._layout.columns), np.nan),
            mass=np.zeros(keys),
            by_step=np.zeros(queries + keys - 1),
        )
        for rows in row_blocks(queries, self.engine.block_rows):
            first, last, counted = seen.first[rows], seen.last[rows], seen.counted[rows]
            sees = first < last
            if not sees.any():
                context[rows] = 0.0
                continue
            low, high = int(first[sees].min()), int(last[sees].max())
            shape = (len(first), high - low)
            weights = buffer[: shape[0] * shape[1]].view(shape)
            torch.mm(q[rows], k[low:high].T, out=weights)
            if softcap is not None:
                weights.div_(softcap).tanh_().mul_(softcap)
            self.engine.rows(weights, first, last, counted, low=low, query=rows.start, sums=sums)
            torch.mm(weights, v[low:high], out=context[rows])
        return sums


def _ranges(scores: Scores) -> Ranges | None:
    """Return the ranges that queries see; None: it cannot be fused."""
    known = scores.q.device.type == "cpu" and scores.dtype == torch.float32
    return ranges(scores) if known and scores.bias is None else None
