"""From what engines add up over a text to the folds that would have seen its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.attention.kernel.record import Reduced, joined, record, reduce
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.table import Layout
from attnpipe.attention.kernel.targets import score_sums
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.metrics.tokens.view import View


@dataclass(frozen=True)
class Group:
    """A text's share of a view, of some heads."""

    reduced: Reduced
    scores: dict[str, Float[np.ndarray, "head score"]]
    prefix: Float[np.ndarray, "head early"]
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
    groups
        What is known so far.
    """

    layout: Layout
    seen: Seen
    groups: list[Group] = field(default_factory=list)

    def add(
        self,
        sums: Sequence[Sums],
        masses: Sequence[Float[np.ndarray, "query score"]],
        numbers: Sequence[Float[np.ndarray, "query score"]],
    ) -> None:
        """Take in some heads."""
        table = self.seen.table(self.layout, sums)
        # A row on sinks alone is no fault, and has no statistics without them.
        valid = table["share"] >= LEAST_LEFT
        table.values[~valid] = np.nan
        by_head = [
            score_sums(mass, number, own, self.seen.n)
            for mass, number, own in zip(masses, numbers, valid, strict=True)
        ]
        compared = np.stack([one.compared for one in sums]) & valid
        compared &= np.where(valid, table["prefix"], 0.0) >= LEAST_LEFT
        self.groups.append(
            Group(
                reduced=reduce(table, self.seen, sums, valid),
                scores={name: np.stack([one[name] for one in by_head]) for name in by_head[0]},
                prefix=np.stack([one.prefix for one in sums]),
                prefix_entropy=np.where(compared, table["prefix_entropy"], 0.0).sum(axis=1),
                prefix_rows=compared.sum(axis=1).astype(np.float64),
            )
        )

    @property
    def valid(self) -> Bool[np.ndarray, "head query"]:
        """Rows that count."""
        return np.concatenate([group.reduced.valid for group in self.groups])

    def joined(self) -> Group:
        """Return all heads."""
        first = self.groups[0]
        return Group(
            reduced=joined([group.reduced for group in self.groups]),
            scores={
                name: np.concatenate([group.scores[name] for group in self.groups])
                for name in first.scores
            },
            prefix=np.concatenate([group.prefix for group in self.groups]),
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
    found: Sequence[Group],
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
    found, far
        One per text.
    """
    record(view, samples, seen, [group.reduced for group in found])
    heads = np.arange(len(found[0].prefix))
    scores = {
        name: np.stack([group.scores[name] for group in found], axis=1) for name in found[0].scores
    }
    view.scores.tally.add((heads, samples, np.arange(len(SCORES))), **scores)
    view.distances.tally.add(
        (heads, heads, samples),
        distance=np.stack([one.distance for one in far], axis=-1),
        count=np.stack([one.count for one in far], axis=-1),
    )
    view.variation.tally.add(
        (heads, samples, np.arange(found[0].prefix.shape[1])),
        mass=np.stack([group.prefix for group in found], axis=1),
        entropy=np.stack([group.prefix_entropy for group in found], axis=1),
        rows=np.stack([group.prefix_rows for group in found], axis=1),
    )
