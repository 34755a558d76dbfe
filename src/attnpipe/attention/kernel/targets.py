"""What head scores look at in one text: for each query, the keys that are its targets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attnpipe.attention.kernel.seen import Seen
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.scores import SCORES

KINDS = len(SCORES)
_WAITING = 2**16  # targets whose weights are kept

Targeted = Float[np.ndarray, "query score"]


@dataclass(frozen=True)
class Targets:
    """Targets of a block of weights, as `metrics.tokens.scores` defines them.

    Attributes
    ----------
    place
        Where they lie in the flat block.
    slot
        ``(gone · queries + query) · KINDS + score``: what a target counts for; `gone` is 1 if
        its key is one of the removed.
    """

    place: Int[np.ndarray, " target"]
    slot: Int[np.ndarray, " target"]


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
        queries, keys, score = queries[sees], keys[sees], score[sees]
        place = (queries - query[0]) * width + keys - low
        slot = (self._gone[keys] * len(self._order) + queries) * KINDS + score
        kept, gone = _by_slot(slot, None, len(self._order))[:, query]
        self.number[query], self.rest_number[query] = kept + gone, kept
        return Targets(place, slot)


def _by_slot(
    slot: Int[np.ndarray, " target"], mass: Float[np.ndarray, " target"] | None, queries: int
) -> Float[np.ndarray, "2 query score"]:
    """Return the mass of targets by what they count for, or how many they are."""
    found = np.bincount(slot, mass, 2 * queries * KINDS)
    # integers if there are none
    return found.astype(np.float64, copy=False).reshape(2, queries, KINDS)


class TargetMass:
    """Mass of a head's rows on their targets.

    Of a block only the weights of its targets are kept; they are added up once they are many.
    """

    def __init__(self, queries: int) -> None:
        self._sum = np.zeros((2, queries, KINDS))
        self._slots: list[Int[np.ndarray, " target"]] = []
        self._masses: list[Float[np.ndarray, " target"]] = []
        self._waiting = 0

    def add(self, targets: Targets, weights: Float[Tensor, "row width"]) -> None:
        """Take in a block of weights."""
        self._slots.append(targets.slot)
        self._masses.append(weights.numpy().ravel().take(targets.place))
        self._waiting += len(targets.slot)
        if self._waiting > _WAITING:
            self._add_up()

    def masses(self) -> tuple[Targeted, Targeted]:
        """Return the mass on all targets, and on those that are not removed."""
        if self._slots:
            self._add_up()
        kept, gone = self._sum
        return kept + gone, kept

    def _add_up(self) -> None:
        slot, mass = np.concatenate(self._slots), np.concatenate(self._masses)
        self._sum += _by_slot(slot, mass, self._sum.shape[1])
        self._slots, self._masses, self._waiting = [], [], 0


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
