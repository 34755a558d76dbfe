"""A text with or without its sinks: what is gathered of all its rows, and of the last alone."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from attnpipe.attention.kernel.engine import Engine
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Sums, Totals
from attnpipe.attention.kernel.table import FIXED, Layout
from attnpipe.attention.kernel.text_record import Far, FoundText, TextHeads
from attnpipe.metrics.tokens.sinks import LEAST_LEFT

_PEAK, _SHARE, _PREFIX = (FIXED.index(name) for name in ("peak", "share", "prefix"))

ByHead = Float[np.ndarray, "head query score"]


@dataclass(frozen=True)
class Conditioned:
    """What does not depend on weights.

    Attributes
    ----------
    seen
        What rows see.
    compared
        Rows that see the whole prefix, as `metrics.tokens.variation` compares them.
    number
        How many targets of head scores each query has, once all are known.
    """

    seen: Seen
    compared: Bool[np.ndarray, " query"]
    number: Float[np.ndarray, "query score"]

    @property
    def last_row(self) -> "Conditioned":
        """The last row alone, with the keys that it sees."""
        seen, keys = self.seen, self.last_keys
        within = (keys.start <= seen.removed) & (seen.removed < keys.stop)
        own = replace(
            seen,
            first=seen.first[-1:] - keys.start,
            last=seen.last[-1:] - keys.start,
            counted=seen.counted[-1:],
            query_positions=seen.query_positions[-1:],
            key_positions=seen.key_positions[keys],
            removed=seen.removed[within] - keys.start,
        )
        return Conditioned(own, self.compared[-1:], self.number[-1:])

    @property
    def last_keys(self) -> slice:
        """The keys that the last row sees; all of them if it sees none, and does not count."""
        first, last = int(self.seen.first[-1]), int(self.seen.last[-1])
        return slice(first, last) if first < last else slice(0, len(self.seen.key_positions))


class Gathered:
    """What is found in the heads of a text, group by group.

    Parameters
    ----------
    layout
        Of the tables.
    text
        The text.
    heads, split
        Number of heads, and of the keys of the prefix.
    """

    def __init__(self, layout: Layout, text: Conditioned, heads: int, split: int) -> None:
        tokens = len(text.seen.first)
        self._layout, self._text = layout, text
        self.rows = TextHeads(layout, text.seen, Totals.empty(heads, tokens, tokens, split))
        self._last: list[tuple[Float[np.ndarray, "head 1 column"], ByHead]] = []

    def sums(self, head: int, table: Float[np.ndarray, "query column"]) -> Sums:
        """Return what an engine is to fill."""
        return self.rows.totals.of(head, table, self._text.compared)

    def add(self, tables: Float[np.ndarray, "head query column"], masses: ByHead) -> None:
        """Take in some heads: tables, which are changed, and masses on targets."""
        self._last.append((tables[:, -1:].copy(), masses[:, -1:].copy()))
        self.rows.add(tables, self._text.compared, masses, self._text.number)

    def last_row(self) -> "LastRow":
        """Return what is known of the last row, without the sums over all."""
        tables, masses = (np.concatenate(each) for each in zip(*self._last, strict=True))
        split = self.rows.totals.prefix.shape[1]
        return LastRow(self._layout, self._text, split, tables, masses)


@dataclass(frozen=True)
class LastRow:
    """What is known of the last row of all heads but its weights.

    Attributes
    ----------
    layout, text, split
        As for `Gathered`.
    tables, masses
        What the engine found in it, and its masses on targets.
    """

    layout: Layout
    text: Conditioned
    split: int
    tables: Float[np.ndarray, "head 1 column"]
    masses: ByHead

    def found(
        self, engine: Engine, weights: Float[np.ndarray, "head key"]
    ) -> tuple[FoundText, Far]:
        """Return what is found in it, given its weights on all keys."""
        text, keys, tables = self.text.last_row, self.text.last_keys, self.tables.copy()
        share, prefix = tables[:, 0, _SHARE], tables[:, 0, _PREFIX]
        valid = share >= LEAST_LEFT
        tables[..., _PEAK] -= keys.start
        mass = _over(weights[:, keys], share, valid)
        mass[:, text.seen.removed] = 0.0
        compares = valid & text.compared & (prefix >= LEAST_LEFT)
        early = _over(mass[:, : max(0, self.split - keys.start)], prefix, compares)
        heads = TextHeads(self.layout, text.seen, Totals(mass, mass, early))
        heads.add(tables, text.compared, self.masses, text.number)
        rows = torch.from_numpy(mass.astype(np.float32))[:, None]
        count = valid.astype(np.float64)
        far = Far(engine.distances(rows, valid[:, None]), np.outer(count, count))
        return heads.found(), far


def _over(
    weights: Float[np.ndarray, "head key"],
    mass: Float[np.ndarray, " head"],
    counts: Bool[np.ndarray, " head"],
) -> Float[np.ndarray, "head key"]:
    """Return rows over their mass; 0 where they do not count, whatever they hold."""
    share = weights / np.where(counts, mass, 1.0)[:, None]
    return np.where(counts[:, None], share, 0.0)
