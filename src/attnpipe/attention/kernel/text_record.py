"""From what engines add up over a text to the folds that would have seen its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.attention.kernel.record import Found, Reduced, record, reduce, stacked
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Totals
from attnpipe.attention.kernel.table import Layout
from attnpipe.attention.kernel.targets import score_sums
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.metrics.tokens.view import View


@dataclass(frozen=True)
class Group:
    """What the tables of some heads of a text come to."""

    reduced: Reduced
    scores: dict[str, Float[np.ndarray, "head score"]]
    prefix_entropy: Float[np.ndarray, " head"]
    prefix_rows: Float[np.ndarray, " head"]


@dataclass(frozen=True)
class FoundText:
    """A text's share of a view, of all heads."""

    found: Found
    scores: dict[str, Float[np.ndarray, "head score"]]
    prefix_entropy: Float[np.ndarray, " head"]
    prefix_rows: Float[np.ndarray, " head"]


@dataclass
class TextHeads:
    """Gathers the heads of one text, for rows as they are or without sinks.

    Attributes
    ----------
    layout
        Of the tables.
    seen
        What rows see.
    totals
        What is added up over the rows of each head.
    groups
        What is known so far.
    """

    layout: Layout
    seen: Seen
    totals: Totals
    groups: list[Group] = field(default_factory=list)

    def add(
        self,
        tables: Float[np.ndarray, "head query column"],
        compared: Bool[np.ndarray, " query"],
        masses: Float[np.ndarray, "head query score"],
        number: Float[np.ndarray, "query score"],
    ) -> None:
        """Take in what an engine found in some heads.

        Parameters
        ----------
        tables
            Of the heads.
        compared
            Rows that see the prefix.
        masses, number
            Mass on targets of head scores, and how many targets there are.
        """
        table = self.seen.table(self.layout, tables)
        # A row on sinks alone is no fault, and has no statistics without them.
        valid = table["share"] >= LEAST_LEFT
        table.values[~valid] = np.nan
        compares = compared & valid & (np.where(valid, table["prefix"], 0.0) >= LEAST_LEFT)
        self.groups.append(
            Group(
                reduced=reduce(table, self.seen, valid),
                scores=score_sums(masses, number, valid, self.seen.n),
                prefix_entropy=np.where(compares, table["prefix_entropy"], 0.0).sum(axis=1),
                prefix_rows=compares.sum(axis=1).astype(np.float64),
            )
        )

    @property
    def valid(self) -> Bool[np.ndarray, "head query"]:
        """Rows that count."""
        return np.concatenate([group.reduced.valid for group in self.groups])

    def found(self) -> FoundText:
        """Return all heads."""
        first = self.groups[0]
        return FoundText(
            found=Found.of([group.reduced for group in self.groups], self.totals, self.seen),
            scores={
                name: np.concatenate([group.scores[name] for group in self.groups])
                for name in first.scores
            },
            prefix_entropy=np.concatenate([group.prefix_entropy for group in self.groups]),
            prefix_rows=np.concatenate([group.prefix_rows for group in self.groups]),
        )


@dataclass(frozen=True)
class Far:
    """Distances between the heads of one text: sums over rows, and how many rows."""

    distance: Float[np.ndarray, "head head"]
    count: Float[np.ndarray, "head head"]


def record_view(
    view: View,
    samples: Int[np.ndarray, " sample"],
    seen: Seen,
    texts: Sequence[FoundText],
    far: Sequence[Far],
) -> None:
    """Add texts to the folds of a view.

    Parameters
    ----------
    view
        The folds.
    samples
        Index of each text in the probe set.
    seen
        Of any of them: positions are the same.
    texts, far
        One per text.
    """
    record(view, samples, seen, [text.found for text in texts])
    prefixes = [text.found.totals.prefix for text in texts]
    heads = np.arange(len(prefixes[0]))
    scores = {name: stacked([text.scores[name] for text in texts]) for name in texts[0].scores}
    view.scores.tally.add((heads, samples, np.arange(len(SCORES))), **scores)
    view.distances.tally.add(
        (heads, heads, samples),
        distance=np.stack([one.distance for one in far], axis=-1),
        count=np.stack([one.count for one in far], axis=-1),
    )
    view.variation.tally.add(
        (heads, samples, seen.key_positions[: prefixes[0].shape[1]]),
        mass=stacked(prefixes),
        entropy=stacked([text.prefix_entropy for text in texts]),
        rows=stacked([text.prefix_rows for text in texts]),
    )
