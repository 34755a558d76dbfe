"""All streaming folds of texts, computed beside the attention itself."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.kernel.engine import Kind
from attnpipe.attention.kernel.far import distances
from attnpipe.attention.kernel.fused import Fused, groups, seen_by
from attnpipe.attention.kernel.heads import read
from attnpipe.attention.kernel.ranges import Ranges
from attnpipe.attention.kernel.record import record_validity
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import MOST_REMOVED, Rest, Sums, Totals
from attnpipe.attention.kernel.table import FIXED
from attnpipe.attention.kernel.targets import TargetMass, TextTargets
from attnpipe.attention.kernel.text_record import Far, FoundText, TextHeads, record_view
from attnpipe.core.block import Block
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.battery import CONDITIONS, TokenBattery
from attnpipe.metrics.tokens.head_distances import ROWS, spaced
from attnpipe.metrics.tokens.texts import Texts, Tokens
from attnpipe.schema.analysis import MetricsSpec

Targeted = Float[np.ndarray, "query score"]


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
        last = np.zeros((scores.q.shape[1], len(texts), 1, scores.k.shape[2]), np.float32)
        read_texts = [
            self._read(text, scores, sample, context, last[:, sample, 0])
            for sample, text in enumerate(texts)
        ]
        self.engine.forget()
        samples, seen = scores.samples.numpy(), [text.seen for text in texts]
        for place, condition in enumerate(CONDITIONS):
            own = [(read_text.heads[place], read_text.far[place]) for read_text in read_texts]
            record_view(folds.views["all", condition], samples, seen[0], *zip(*own, strict=True))
        reduced = [read_text.heads[0].found.reduced for read_text in read_texts]
        record_validity(folds.validity, samples, seen, reduced)
        folds.add_last(self._last_rows(scores, seen, last))

    def _read(
        self,
        text: "_Text",
        scores: Scores,
        sample: int,
        context: Float[Tensor, "sample head query vdim"],
        last: Float[np.ndarray, "head key"],
    ) -> "_Read":
        """Return what is found in one text; fill the output, and the row of the last token."""
        buffer, (heads, tokens) = self._buffer(scores), last.shape
        whole, rest = (
            TextHeads(self._layout, own, Totals.empty(heads, tokens, tokens, text.split))
            for own in (text.seen, text.rest)
        )
        for group in groups(scores, sample):
            tables = np.full((2, len(group), tokens, self._layout.columns), np.nan)
            looks = []
            for place, (number, head) in enumerate(group):
                sums = whole.totals.of(number, tables[0, place], text.compared)
                others = rest.totals.of(number, tables[1, place], text.rest_compared)
                look = _Look(text, sums, others, last[number])
                read(
                    self.engine, head, text.seen, buffer, context[sample, number], sums,
                    look.rest, look,
                )  # fmt: skip
                looks.append(look)
            targets = zip(*(x.targets for x in looks), strict=True)
            whole.add(tables[0], text.compared, *targets)
            targets = zip(*(x.rest_targets for x in looks), strict=True)
            rest.add(tables[1], text.rest_compared, *targets)
        chosen = spaced(np.arange(tokens), tokens, self._distance_rows)
        far = distances(
            self.engine, scores, sample, text.seen, text.rest.removed, whole.valid, rest.valid,
            chosen,
        )  # fmt: skip
        return _Read((whole.found(), rest.found()), far)

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

    @staticmethod
    def _last_rows(
        scores: Scores, seen: list[Seen], last: Float[np.ndarray, "head sample 1 key"]
    ) -> Block:
        key = np.arange(last.shape[-1])
        support = np.stack(
            [(x.first[-1] <= key) & (key < x.last[-1]) & x.counted[-1] for x in seen]
        )
        return Block(
            last,
            support[:, None],
            scores.query_positions[-1:].numpy(),
            seen[0].key_positions,  # kept anyway
            scores.samples.numpy(),
        )


@dataclass(frozen=True)
class _Text:
    """What of a text does not depend on weights.

    Attributes
    ----------
    seen, rest
        What its rows see, with and without sinks.
    compared, rest_compared
        Rows that see the whole prefix, as `metrics.tokens.variation` compares them.
    targets
        Of head scores.
    split
        Length of the prefix.
    """

    seen: Seen
    rest: Seen
    compared: Bool[np.ndarray, " query"]
    rest_compared: Bool[np.ndarray, " query"]
    targets: TextTargets
    split: int

    @classmethod
    def of(cls, text: Tokens, seen: Seen) -> "_Text":
        split = -(-len(text.ids) // 2)
        rest = replace(seen, removed=np.flatnonzero(text.sinks).astype(np.int32))
        return cls(
            seen=seen,
            rest=rest,
            compared=_compared(seen, split),
            rest_compared=_compared(rest, split),
            targets=TextTargets(text.ids, rest),
            split=split,
        )


def _compared(seen: Seen, split: int) -> Bool[np.ndarray, " query"]:
    """Return the rows that see all keys of the prefix but removed ones, if these are several."""
    kept = np.setdiff1d(np.arange(split), seen.removed)
    if len(kept) < 2:
        return np.zeros(len(seen.first), bool)
    return np.asarray(seen.counted & (seen.first <= kept[0]) & (seen.last > kept[-1]))


@dataclass(frozen=True)
class _Read:
    """What was found in a text, by condition: in its heads, and how far apart these are."""

    heads: tuple[FoundText, FoundText]
    far: tuple[Far, Far]


class _Look:
    """What is gathered of one head of a text, block by block."""

    def __init__(
        self, text: _Text, sums: Sums, others: Sums, last: Float[np.ndarray, " key"]
    ) -> None:
        self.sums, self.rest = sums, Rest(text.rest.removed, others)
        self.on = TargetMass(len(text.seen.first))
        self._targets, self._last = text.targets, last

    def __call__(self, rows: slice, low: int, weights: Tensor) -> None:
        self.on.add(self._targets.of(rows), rows, low, weights)
        if rows.start + len(weights) == len(self.sums.table):
            self._last[low : low + weights.shape[1]] = weights[-1].numpy()

    @property
    def targets(self) -> tuple[Targeted, Targeted]:
        """Mass on targets by query and score, and how many they are."""
        return self.on.mass, self.on.number

    @property
    def rest_targets(self) -> tuple[Targeted, Targeted]:
        """The same of targets that are no sinks, of rows that sum to 1 without sinks."""
        share = self.rest.sums.table[:, FIXED.index("share")]
        return divide(self.on.rest_mass, np.nan_to_num(share)[:, None]), self.on.rest_number
