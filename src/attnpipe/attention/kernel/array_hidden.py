"""Statistics of whole rows from those of the keys that are not hidden, as in `hidden.h`."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attnpipe.attention.kernel.array_table import Found, Spare, top_masses
from attnpipe.attention.kernel.keys import Keys
from attnpipe.attention.kernel.table import FIXED, Layout


@dataclass(frozen=True)
class Hidden:
    """The keys of a block that are hidden.

    Attributes
    ----------
    scores
        Their scores; −∞ in rows that do not see them.
    added
        Their weights.
    left
        Mass on the other keys.
    """

    scores: Float[np.ndarray, "row hidden"]
    added: Float[np.ndarray, "row hidden"]
    left: Float[np.ndarray, " row"]

    def of_rows(self, chosen: Bool[np.ndarray, " row"]) -> "Hidden":
        """Return the same with no weight in rows that are not chosen."""
        added = np.where(chosen[:, None], self.added, 0.0)
        return Hidden(self.scores, added, np.where(chosen, self.left, 1.0))


def weigh(
    scores: Float[np.ndarray, "row hidden"],
    largest: Float[np.ndarray, " row"],
    total: Float[np.ndarray, " row"],
) -> Hidden:
    """Return the weights of hidden keys beside others; NaN in rows that are no distribution.

    Parameters
    ----------
    scores
        Of the hidden keys.
    largest
        Score of the others, of each row.
    total
        Σ exp(score − largest) of the others; 0 if all are −∞.
    """
    scores = scores.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        high = np.fmax(largest, scores.max(axis=1, initial=-np.inf))
        own = np.where(total == 0, 0.0, total * np.exp(largest - high))
        added = np.exp(scores - high[:, None])
        whole = own + added.sum(axis=1)
        fits = np.isfinite(whole) & (whole > 0)
        whole = np.where(fits, whole, np.nan)
        return Hidden(scores, added / whole[:, None], own / whole)


def complete(
    weights: Float[Tensor, "row width"],
    keys: Keys,
    hidden: Hidden,
    largest: Float[np.ndarray, " row"],
    rest: Found,
    split: int,
    layout: Layout,
    spare: Spare,
) -> Float[np.ndarray, "row column"]:
    """Return the table of whole rows; the hidden weights are put back into `weights`.

    Parameters
    ----------
    weights
        Weights of whole rows, 0 at the hidden keys.
    keys
        What rows see, and what is hidden.
    hidden
        Their weights.
    largest
        Largest score of the others.
    rest
        What is known of the others, whose rows sum to 1.
    split, layout, spare
        As for `array_table.statistics`.
    """
    part = {name: rest.table[:, i] for i, name in enumerate(FIXED)}
    added, left, place = hidden.added, hidden.left, keys.hidden
    whole, seen = keys.all, keys.seen
    n, even = whole.n, 1.0 / whole.n
    kept = n - seen.sum(axis=1)
    some = (kept > 0) & (left > 0)
    early = place < split
    own = left * part["prefix"]
    prefix = own + added[:, early].sum(axis=1)
    share = np.where(prefix > 0, 1.0 / np.where(prefix > 0, prefix, 1.0), 0.0)
    between = np.where(kept > 0, kept * (left / np.maximum(kept, 1) - even) ** 2, 0.0)
    apart = left**2 * part["unevenness"] / np.maximum(kept, 1) + between
    apart = apart + np.sum(np.where(seen, (added - even[:, None]) ** 2, 0.0), axis=1)
    centre = np.where(some, part["peak"] + part["offset"], 0.0)
    mean = left * centre + added @ place
    variance = left * (part["spread"] ** 2 + (centre - mean) ** 2)
    variance = variance + np.sum(added * (place - mean[:, None]) ** 2, axis=1)
    peak, best = np.where(some, part["peak"], weights.shape[1]), largest.copy()
    for key, score in zip(place, hidden.scores.T, strict=True):
        higher = (score > best) | ((score == best) & (key < peak))
        peak, best = np.where(higher, key, peak), np.where(higher, score, best)
    few = rest.ascending[:, -max(2, *layout.top) :] * left[:, None]
    merged = np.sort(np.concatenate([few, added], axis=1), axis=1)
    total = left * part["ascending"] + _inserted(
        weights, left * part["largest"], added, seen, kept, spare
    )
    put_back(weights, keys, hidden)
    quarter = n // 4
    newest = (whole.last(quarter)[:, None] <= place) & (place < whole.stop[:, None])
    oldest = (whole.start[:, None] <= place) & (place < whole.first(quarter)[:, None])
    columns = {
        "entropy": np.minimum(
            _surprise(left) + _surprise(added).sum(axis=1) + left * part["entropy"], np.log(n)
        ),
        "unevenness": n * apart,
        "ascending": total,
        "largest": merged[:, -1],
        "second": merged[:, -2] * (n > 1),
        "peak": peak,
        "offset": mean - peak,
        "spread": np.sqrt(variance),
        "share": np.ones(len(n)),
        "prefix": prefix,
        "prefix_entropy": _surprise(own * share)
        + _surprise(added[:, early] * share[:, None]).sum(axis=1)
        + own * share * part["prefix_entropy"],
        "newest": left * rest.newest + np.where(newest, added, 0.0).sum(axis=1),
        "oldest": left * rest.oldest + np.where(oldest, added, 0.0).sum(axis=1),
    }
    return np.column_stack(
        [
            *(columns[name] for name in FIXED),
            top_masses(merged, layout),
            whole.recent_masses(weights.numpy()),
        ]
    )


def put_back(weights: Float[Tensor, "row width"], keys: Keys, hidden: Hidden) -> None:
    """Put the hidden weights where they belong."""
    added = torch.from_numpy(hidden.added.astype(np.float32))
    weights[:, torch.from_numpy(keys.hidden)] = added


def _inserted(
    weights: Float[Tensor, "row width"],
    top: Float[np.ndarray, " row"],
    added: Float[np.ndarray, "row hidden"],
    seen: Bool[np.ndarray, "row hidden"],
    kept: Int[np.ndarray, " row"],
    spare: Spare,
) -> Float[np.ndarray, " row"]:
    """Return what the hidden weights add to the rank sum of the others, which are not 0.

    A weight put into a sorted list adds itself and, for each of the list, the larger of both.
    """
    total = np.zeros(len(weights))
    zeros = weights.shape[1] - kept
    for i, own in enumerate(added.T):
        larger = kept * own
        if np.any(own < top):
            single = torch.from_numpy(own.astype(np.float32))[:, None]
            both = torch.maximum(weights, single, out=spare.like(weights, "depth")).sum(-1)
            larger = np.where(own < top, both.double().numpy() - zeros * own, larger)
        before = np.maximum(own[:, None], added[:, :i]) * seen[:, :i]
        total += (own + larger + before.sum(axis=1)) * seen[:, i]
    return total


def _surprise(p: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return −p ln p, 0 for 0."""
    return -p * np.log(np.where(p > 0, p, 1.0))
