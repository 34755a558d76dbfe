"""Statistics of the rows of a block, some of whose keys may be hidden, in torch and numpy."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attnpipe.attention.kernel.edges import Edges
from attnpipe.attention.kernel.keys import Keys
from attnpipe.attention.kernel.table import FIXED, Layout

_SMALLEST = -88.0  # exp of it is about the smallest normal float32


class Spare:
    """Arrays that are kept between blocks; their content does not matter."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def like(self, block: Tensor, name: str) -> Tensor:
        """Return an array of a block's shape."""
        return self.empty(name, (block.shape[0], block.shape[1]))

    def empty(self, name: str, shape: tuple[int, int]) -> Tensor:
        """Return an array of any shape."""
        wanted, kept = math.prod(shape), self._kept.get(name)
        if kept is None or kept.shape[0] < wanted:
            kept = self._kept[name] = torch.empty(wanted)
        return kept[:wanted].view(shape)


@dataclass(frozen=True)
class Rows:
    """Rows of a block that sum to 1, or are 0.

    Attributes
    ----------
    weights
        0 off their keys.
    depth
        Scores less the largest of the row; overwritten.
    keys
        What they see.
    peak
        The first key with the largest weight.
    total
        Sum of exp(depth).
    split
        Keys of the prefix in this block.
    """

    weights: Float[Tensor, "row width"]
    depth: Float[Tensor, "row width"]
    keys: Keys
    peak: Int64[np.ndarray, " row"]
    total: Float[np.ndarray, " row"]
    split: int


@dataclass(frozen=True)
class Found:
    """What is known of the rows of a block.

    Attributes
    ----------
    table
        See `table.Table`; `peak` is an index in the block.
    ascending
        Each row's weights in ascending order.
    newest, oldest
        Mass in the ranges that are the newest and the oldest quarter if no key is hidden.
    """

    table: Float[np.ndarray, "row column"]
    ascending: Float[np.ndarray, "row width"]
    newest: Float[np.ndarray, " row"]
    oldest: Float[np.ndarray, " row"]


def statistics(rows: Rows, layout: Layout, spare: Spare) -> Found:
    """Return what is known of rows."""
    weights, depth, edges = rows.weights, rows.depth, Edges(rows.weights)
    width, n, p = weights.shape[1], rows.keys.n, weights.numpy()
    depth.clamp_(min=_SMALLEST)  # 0 · ∞
    energy = np.vecdot(p, depth.numpy())
    prefix, prefix_entropy = _prefix(rows)
    place = torch.arange(width, dtype=torch.float32)
    lag = torch.sub(place, torch.from_numpy(rows.peak)[:, None], out=depth)
    offset = np.vecdot(p, lag.numpy()).astype(np.float64)
    pull = torch.mul(weights, lag, out=spare.like(weights, "other"))
    square = np.vecdot(pull.numpy(), lag.numpy())
    share = torch.from_numpy((1.0 / n).astype(np.float32))
    apart = torch.sub(weights, share[:, None], out=spare.like(weights, "other"))
    rows.keys.hide(apart, 0.0)
    uneven = n * np.vecdot(apart.numpy(), apart.numpy())
    ascending = spare.like(weights, "other").copy_(weights).numpy()
    ascending.view(np.int32).sort(axis=-1)  # same order, as none is negative, and faster
    middle = (width - 1) / 2.0
    ranked = np.vecdot(ascending, (place - middle).numpy()).astype(np.float64)
    log_total = np.log(np.where(rows.total > 0, rows.total, 1.0))
    columns = {
        "entropy": np.clip(log_total - energy, 0.0, np.log(n)),
        "unevenness": uneven,
        "ascending": ranked + middle + 1.0 - (width - n),
        "largest": 1.0 / np.where(rows.total > 0, rows.total, np.inf),
        "second": ascending[:, max(0, width - 2)] * (n > 1),
        "peak": rows.peak,
        "offset": offset,
        "spread": np.sqrt(np.maximum(square - offset**2, 0.0)),
        "share": np.ones(len(n)),
        "prefix": prefix,
        "prefix_entropy": prefix_entropy,
        "newest": edges.mass(rows.keys.newest),
        "oldest": edges.mass(rows.keys.oldest),
    }
    table = np.column_stack(
        [
            *(columns[name] for name in FIXED),
            top_masses(ascending[:, -max(layout.top, default=1) :], layout),
            rows.keys.recent_masses(p),
        ]
    )
    newest, oldest = columns["newest"], columns["oldest"]
    if len(rows.keys.hidden):
        newest, oldest = edges.mass(rows.keys.all.newest), edges.mass(rows.keys.all.oldest)
    return Found(table, ascending, newest, oldest)


def top_masses(
    ascending: Float[np.ndarray, "row some"], layout: Layout
) -> Float[np.ndarray, "row k"]:
    """Return the masses of the k last of each row."""
    mass = ascending[:, ::-1].cumsum(-1, dtype=np.float64)
    return mass[:, np.minimum(layout.top, ascending.shape[1]) - 1]


def _prefix(rows: Rows) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, " row"]]:
    """Return mass and entropy of the prefix; rows that see nothing beyond it are left at 0."""
    mass, entropy = np.zeros(len(rows.peak)), np.zeros(len(rows.peak))
    if rows.split <= 0:
        return mass, entropy
    p, x = (part[:, : rows.split].numpy() for part in (rows.weights, rows.depth))
    mass = p.sum(-1).astype(np.float64)
    energy = np.vecdot(p, x)
    some = mass > 0
    np.divide(energy, mass, out=entropy, where=some)
    found = np.log(np.where(some, mass * rows.total, 1.0)) - entropy
    return mass, np.where(some, np.maximum(found, 0.0), 0.0)
