"""All streaming folds of texts, computed beside the attention itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.kernel.condition import Conditioned, Gathered, LastRow
from attnpipe.attention.kernel.engine import Engine, Kind
from attnpipe.attention.kernel.far import distances
from attnpipe.attention.kernel.fused import Fused, groups, seen_by
from attnpipe.attention.kernel.heads import blocks_of, read
from attnpipe.attention.kernel.ranges import Ranges
from attnpipe.attention.kernel.record import record_validity
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import MOST_REMOVED, Rest, Sums
from attnpipe.attention.kernel.table import FIXED
from attnpipe.attention.kernel.targets import Targeted, TargetMass, TextTargets
from attnpipe.attention.kernel.text_record import Far, FoundText, record_view
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.battery import CONDITIONS, TokenBattery
from attnpipe.metrics.tokens.head_distances import ROWS, spaced
from attnpipe.metrics.tokens.texts import Texts, Tokens
from attnpipe.metrics.tokens.view import Condition, View, Which
from attnpipe.schema.analysis import MetricsSpec


class FusedTokenBattery(Fused[TokenBattery]):
    """The whole streaming battery of texts; see `Fused`.

    Declared sinks are taken out of each row while it is visited, and put back: statistics
    with and without them come from one visit. Heads are compared on the rows that
    `metrics.tokens.head_distances` chooses, which are computed a second time, some at a time.

    Batches whose texts are padded, and texts with more than `MOST_REMOVED` sinks, go through
    the plain folds.

    Parameters
    ----------
    options
        Of the row metrics.
    texts
        The texts by sample, with their declared sinks.
    kind
        The engine, as for `Fused`.
    distance_rows
        Most rows of a text on which heads are compared.
    """

    def __init__(
        self,
        options: MetricsSpec,
        texts: Texts,
        kind: Kind | None = None,
        *,
        distance_rows: int = ROWS,
    ) -> None:
        super().__init__(
            lambda layer: TokenBattery(options, texts, distance_rows=distance_rows), options, kind
        )
        self._texts, self._distance_rows = texts, distance_rows
        self._known: dict[tuple[int, bytes], _Text] = {}

    def _ranges(self, scores: Scores) -> Ranges | None:
        queries, keys = scores.query_positions, scores.key_positions
        whole = len(queries) == len(keys) and int(queries[0]) == int(keys[0]) == 0
        texts = [self._texts[sample] for sample in scores.samples.tolist()]
        fits = whole and all(
            text.start == 0 and len(text.ids) == len(keys) and text.sinks.sum() <= MOST_REMOVED
            for text in texts
        )
        return super()._ranges(scores) if fits else None

    def _fuse(
        self,
        folds: TokenBattery,
        scores: Scores,
        found: Ranges,
        context: Float[Tensor, "sample head query vdim"],
    ) -> None:
        texts = self._of_batch(scores, found)
        samples, seen = scores.samples.numpy(), [text.whole.seen for text in texts]
        read_texts = [
            self._read(text, scores, sample, context[sample]) for sample, text in enumerate(texts)
        ]
        self.engine.forget()
        for place, condition in enumerate(CONDITIONS):
            every = [one.every[place] for one in read_texts]
            record_view(folds.views["all", condition], samples, seen[0], *zip(*every, strict=True))
        for sample, one in zip(samples.tolist(), read_texts, strict=True):
            folds.later(partial(_record_last, self.engine, one.last, one.weights, sample))
        reduced = [one.every[0][0].found.reduced for one in read_texts]
        record_validity(folds.validity, samples, seen, reduced)

    def _read(
        self,
        text: "_Text",
        scores: Scores,
        sample: int,
        context: Float[Tensor, "head query vdim"],
    ) -> "_Read":
        """Return what is found in one text, with and without sinks; fill the output."""
        buffer, (heads, tokens) = self._buffer(scores), context.shape[:2]
        blocks = blocks_of(text.whole.seen, self.engine.block_rows)
        whole, rest = (
            Gathered(self._layout, each, heads, text.split) for each in (text.whole, text.rest)
        )
        last = np.zeros((heads, tokens), np.float32)
        room = np.zeros((2, 0, 0, 0))
        for group in groups(scores, sample):
            if len(group) > room.shape[1]:
                room = np.empty((2, len(group), tokens, self._layout.columns))
            tables, looks = room[:, : len(group)], []
            tables.fill(np.nan)  # of rows that are no distribution nothing is written
            for place, (number, head) in enumerate(group):
                sums, others = (
                    whole.sums(number, tables[0, place]),
                    rest.sums(number, tables[1, place]),
                )
                look = _Look(text, sums, others, last[number])
                read(self.engine, head, blocks, buffer, context[number], sums, look.rest, look)
                looks.append(look)
            masses = zip(*(look.masses() for look in looks), strict=True)
            for each, table, mass in zip((whole, rest), tables, masses, strict=True):
                each.add(table, np.stack(mass))
        far = distances(
            self.engine, scores, sample, text.whole.seen, text.rest.seen.removed,
            whole.rows.valid, rest.rows.valid,
            spaced(np.arange(tokens), tokens, self._distance_rows),
        )  # fmt: skip
        every = (whole.rows.found(), far[0]), (rest.rows.found(), far[1])
        return _Read(every, (whole.last_row(), rest.last_row()), last)

    def _of_batch(self, scores: Scores, found: Ranges) -> list["_Text"]:
        """Return the texts of a batch; those of the batch before are known."""
        known: dict[tuple[int, bytes], _Text] = {}
        texts = []
        for sample, name in enumerate(scores.samples.tolist()):
            seen = seen_by(scores, found, sample)
            key = (name, seen.first.tobytes() + seen.last.tobytes())
            known[key] = self._known.get(key) or _Text.of(self._texts[name], seen)
            texts.append(known[key])
        self._known = known
        return texts


@dataclass(frozen=True)
class _Text:
    """What of a text does not depend on weights.

    Attributes
    ----------
    whole, rest
        With and without sinks.
    targets
        Of head scores.
    split
        Length of the prefix.
    """

    whole: Conditioned
    rest: Conditioned
    targets: TextTargets
    split: int

    @classmethod
    def of(cls, text: Tokens, seen: Seen) -> "_Text":
        split = -(-len(text.ids) // 2)
        left = replace(seen, removed=np.flatnonzero(text.sinks).astype(np.int32))
        targets = TextTargets(text.ids, left)
        return cls(
            whole=Conditioned(seen, _compared(seen, split), targets.number),
            rest=Conditioned(left, _compared(left, split), targets.rest_number),
            targets=targets,
            split=split,
        )


def _compared(seen: Seen, split: int) -> Bool[np.ndarray, " query"]:
    """Return the rows that see all keys of the prefix but removed ones, if these are several."""
    kept = np.setdiff1d(np.arange(split), seen.removed)
    if len(kept) < 2:
        return np.zeros(len(seen.first), bool)
    return np.asarray(seen.counted & (seen.first <= kept[0]) & (seen.last > kept[-1]))


_Found = tuple[FoundText, Far]


@dataclass(frozen=True)
class _Read:
    """What was found in a text, with and without sinks.

    Attributes
    ----------
    every
        In its heads, and how far apart these are.
    last
        In its last row.
    weights
        The last row.
    """

    every: tuple[_Found, _Found]
    last: tuple[LastRow, LastRow]
    weights: Float[np.ndarray, "head key"]


def _record_last(
    engine: Engine,
    last: tuple[LastRow, LastRow],
    weights: Float[np.ndarray, "head key"],
    sample: int,
    views: Mapping[tuple[Which, Condition], View],
) -> None:
    """Add the last row of a text, which sees keys of its own, to the views on last rows."""
    for condition, row in zip(CONDITIONS, last, strict=True):
        found, far = row.found(engine, weights)
        seen, view = row.text.last_row.seen, views["last", condition]
        record_view(view, np.array([sample]), seen, [found], [far])


class _Look:
    """What is gathered of one head of a text, block by block."""

    def __init__(
        self, text: _Text, sums: Sums, others: Sums, last: Float[np.ndarray, " key"]
    ) -> None:
        self.sums, self.rest = sums, Rest(text.rest.seen.removed, others)
        self._on, self._targets, self._last = TargetMass(len(sums.table)), text.targets, last

    def __call__(self, rows: slice, low: int, weights: Tensor) -> None:
        self._on.add(self._targets.of(rows, low, weights.shape[1]), weights)
        if rows.start + len(weights) == len(self.sums.table):
            self._last[low : low + weights.shape[1]] = weights[-1].numpy()

    def masses(self) -> tuple[Targeted, Targeted]:
        """Return mass on targets, and on those that are no sinks of rows without sinks."""
        share = self.rest.sums.table[:, FIXED.index("share")]
        mass, rest = self._on.masses()
        return mass, divide(rest, np.nan_to_num(share)[:, None])
