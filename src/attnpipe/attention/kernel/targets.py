"""What head scores look at in one text: for each query, the keys that are its targets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int32
from torch import Tensor

from attnpipe.attention.kernel.seen import Seen
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.scores import SCORES

KINDS = len(SCORES)


@dataclass(frozen=True)
class Targets:
    """Targets of neighbouring queries, as `metrics.tokens.scores` defines them.

    Attributes
    ----------
    row, key
        Which query looks at which key; the first query has row 0.
    slot
        ``row · KINDS + score``: what a target counts for.
    kept
        Targets whose key is none of the removed; None: all.
    number, rest_number
        How many targets there are, of all keys and of those kept: the same for every head.
    """

    row: Int32[np.ndarray, " target"]
    key: Int32[np.ndarray, " target"]
    slot: Int32[np.ndarray, " target"]
    kept: Int[np.ndarray, " kept"] | None
    number: Int32[np.ndarray, "query score"]
    rest_number: Int32[np.ndarray, "query score"]


class TextTargets:
    """The targets of a text, block by block.

    Parameters
    ----------
    ids
        The tokens; queries and keys are these.
    seen
        What rows see, and which keys can be removed.
    """

    def __init__(self, ids: Int[np.ndarray, " token"], seen: Seen) -> None:
        self._seen = seen
        self._gone = np.zeros(len(ids), bool)
        self._gone[seen.removed] = True
        self._order = np.argsort(ids, kind="stable")
        ordered = ids[self._order]
        begins = np.searchsorted(ordered, ordered)
        self._begin, self._earlier = np.empty_like(begins), np.empty_like(begins)
        self._begin[self._order] = begins
        self._earlier[self._order] = np.arange(len(ids)) - begins
        self._blocks: dict[tuple[int, int], Targets] = {}
        self._few = int(self._earlier.sum()) <= 16 * len(ids)

    def of(self, rows: slice) -> Targets:
        """Return the targets of some queries that these see."""
        key = (rows.start, rows.stop)
        if key in self._blocks:
            return self._blocks[key]
        found = self._find(np.arange(rows.start, min(rows.stop, len(self._order))))
        if self._few:  # else they would be too many to be kept
            self._blocks[key] = found
        return found

    def _find(self, query: Int[np.ndarray, " row"]) -> Targets:
        count = self._earlier[query]
        again = np.repeat(query, count)
        step = np.arange(len(again)) - np.repeat(np.cumsum(count) - count, count)
        earlier = self._order[np.repeat(self._begin[query], count) + step]
        pairs = [(query, query), (query, query - 1), (query, query + 1)]
        pairs += [(again, earlier), (again, earlier + 1)]
        queries = np.concatenate([q for q, _ in pairs])
        keys = np.concatenate([k for _, k in pairs])
        score = np.repeat(np.arange(KINDS), [len(q) for q, _ in pairs])
        sees = (self._seen.first[queries] <= keys) & (keys < self._seen.last[queries])
        rows, keys, score = queries[sees] - query[0], keys[sees], score[sees]
        slot, size = rows * KINDS + score, len(query) * KINDS
        removed = self._gone[keys]
        kept = np.flatnonzero(~removed) if removed.any() else None
        number = _numbers(slot, size)
        return Targets(
            rows.astype(np.int32), keys.astype(np.int32), slot.astype(np.int32), kept, number,
            number if kept is None else _numbers(slot[kept], size),
        )  # fmt: skip


class TargetMass:
    """Mass of a head's rows on their targets.

    Attributes
    ----------
    mass, number
        By query and score: mass on all targets, and how many they are.
    rest_mass, rest_number
        The same without removed keys.
    """

    def __init__(self, queries: int) -> None:
        self.mass, self.number, self.rest_mass, self.rest_number = np.zeros((4, queries, KINDS))

    def add(
        self, targets: Targets, rows: slice, low: int, weights: Float[Tensor, "row width"]
    ) -> None:
        """Take in a block of weights, whose first key is `low`."""
        own, size = slice(rows.start, rows.start + len(weights)), len(weights) * KINDS
        found = weights.numpy()[targets.row, targets.key - low]
        self.mass[own] = self.rest_mass[own] = _sums(targets.slot, found, size)
        self.number[own], self.rest_number[own] = targets.number, targets.rest_number
        if targets.kept is not None:
            self.rest_mass[own] = _sums(targets.slot[targets.kept], found[targets.kept], size)


def _sums(
    slot: Int[np.ndarray, " target"], values: Float[np.ndarray, " target"], size: int
) -> Float[np.ndarray, "query score"]:
    """Return sums of values by query and score."""
    found = np.bincount(slot, values, size)
    return found.astype(np.float64, copy=False).reshape(-1, KINDS)  # integers if there are none


def _numbers(slot: Int[np.ndarray, " target"], size: int) -> Int32[np.ndarray, "query score"]:
    """Return numbers of targets by query and score."""
    return np.bincount(slot, minlength=size).astype(np.int32).reshape(-1, KINDS)


def score_sums(
    mass: Float[np.ndarray, "query score"],
    number: Float[np.ndarray, "query score"],
    valid: Bool[np.ndarray, " query"],
    n: Float[np.ndarray, " query"],
) -> dict[str, Float[np.ndarray, " score"]]:
    """Return sums over the valid rows that have a target: of mass, of chance, of 1."""
    eligible = valid[:, None] & (number > 0)
    chance = np.where(eligible, divide(number, n[:, None]), 0.0)
    return {
        "mass": np.where(eligible, mass, 0.0).sum(axis=0),
        "chance": chance.sum(axis=0),
        "count": eligible.sum(axis=0).astype(np.float64),
    }
