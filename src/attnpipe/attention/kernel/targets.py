"""What head scores look at in one text: for each query, the keys that are its targets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attnpipe.attention.kernel.seen import Seen
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.scores import SCORES

KINDS = len(SCORES)

Targeted = Float[np.ndarray, "query score"]


@dataclass(frozen=True)
class Targets:
    """Targets of a block of weights, as `metrics.tokens.scores` defines them.

    Attributes
    ----------
    place
        Where they lie in the flat block.
    slot
        ``row · KINDS + score``: what a target counts for; the first row is 0.
    kept
        Targets whose key is none of the removed; None: all.
    """

    place: Int[np.ndarray, " target"]
    slot: Int[np.ndarray, " target"]
    kept: "Targets | None"

    def mass(self, weights: Float[np.ndarray, " weight"], rows: int) -> Targeted:
        """Return the mass of the first rows of a flat block on their targets."""
        found = np.bincount(self.slot, weights.take(self.place), rows * KINDS)
        # integers if there are none
        return found.astype(np.float64, copy=False).reshape(rows, KINDS)


class TextTargets:
    """The targets of a text, block by block.

    Parameters
    ----------
    ids
        The tokens; queries and keys are these.
    seen
        What rows see, and which keys can be removed.

    Attributes
    ----------
    number, rest_number
        How many targets the queries of the blocks so far have, of all keys and of those that
        are not removed: the same for every head.
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
        self._blocks: dict[tuple[int, int, int, int], Targets] = {}
        self._few = int(self._earlier.sum()) <= 16 * len(ids)
        self.number, self.rest_number = np.zeros((2, len(ids), KINDS))

    def of(self, rows: slice, low: int, width: int) -> Targets:
        """Return the targets of some queries in a block of so many keys from `low` on."""
        key = (rows.start, rows.stop, low, width)
        if key in self._blocks:
            return self._blocks[key]
        found = self._find(np.arange(rows.start, min(rows.stop, len(self._order))), low, width)
        if self._few:  # else they would be too many to be kept
            self._blocks[key] = found
        return found

    def _find(self, query: Int[np.ndarray, " row"], low: int, width: int) -> Targets:
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
        slot, place = rows * KINDS + score, rows * width + keys - low
        kept = ~self._gone[keys]
        rest = None if kept.all() else Targets(place[kept], slot[kept], None)
        self.number[query] = _numbers(slot, len(query))
        self.rest_number[query] = _numbers(slot[kept], len(query))
        return Targets(place, slot, rest)


def _numbers(slot: Int[np.ndarray, " target"], rows: int) -> Int[np.ndarray, "row score"]:
    """Return numbers of targets by query and score."""
    return np.bincount(slot, minlength=rows * KINDS).reshape(rows, KINDS)


class TargetMass:
    """Mass of a head's rows on their targets.

    Attributes
    ----------
    mass, rest_mass
        By query and score: mass on all targets, and on those that are not removed.
    """

    def __init__(self, queries: int) -> None:
        self.mass, self.rest_mass = np.zeros((2, queries, KINDS))

    def add(self, targets: Targets, start: int, weights: Float[Tensor, "row width"]) -> None:
        """Take in a block of weights, whose first query is `start`."""
        rows, flat = len(weights), weights.numpy().ravel()
        found = targets.mass(flat, rows)
        self.mass[start : start + rows] = found
        rest = found if targets.kept is None else targets.kept.mass(flat, rows)
        self.rest_mass[start : start + rows] = rest


def score_sums(
    masses: Float[np.ndarray, "head query score"],
    number: Float[np.ndarray, "query score"],
    valid: Bool[np.ndarray, "head query"],
    n: Float[np.ndarray, " query"],
) -> dict[str, Float[np.ndarray, "head score"]]:
    """Return sums over the valid rows that have a target: of mass, of chance, of 1."""
    rows, some = valid.astype(np.float64), number > 0
    share = np.where(some, divide(number, n[:, None]), 0.0)
    return {
        "mass": np.where(valid[..., None], masses, 0.0).sum(axis=1),
        "chance": rows @ np.where(np.isnan(share), 0.0, share),  # rows without keys
        "count": rows @ some.astype(np.float64),
    }
