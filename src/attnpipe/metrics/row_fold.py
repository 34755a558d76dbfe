"""What all folds over attention rows share."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import TypeVar

import numpy as np

from attnpipe.core.block import Block
from attnpipe.core.fold import State
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tally import Tally
from attnpipe.schema.analysis import MetricsSpec

F = TypeVar("F", bound="RowFold")  # not Self: beartype knows it in decorated classes only


class RowFold(ABC):
    """A fold that takes checked rows and keeps its sums in one tally.

    Subclasses set `axes`, `sums` and `counts` as for `Tally`, and implement `add`. They conform to
    `attnpipe.core.fold.Fold`; `add` is for callers that feed several folds, so that a
    block is checked, sorted and so on only once.
    """

    axes: tuple[str, ...]
    sums: Mapping[str, int]
    counts: Collection[str] = ()

    def __init__(self, options: MetricsSpec) -> None:
        self.options = options
        self.tally = Tally(self.axes, self.sums, self.counts)

    @abstractmethod
    def add(self, rows: Rows) -> None:
        """Take in checked rows; each row is given exactly once."""

    def update(self, block: Block) -> None:
        """Take in some rows; each row is given exactly once."""
        self.add(Rows.from_block(block, self.options.row_tolerance))

    def merge(self: F, other: F) -> None:
        """Take in another fold's rows, disjoint from this one's."""
        self.tally.merge(other.tally)

    def state(self) -> State:
        """Return all that is needed to go on, as numpy arrays."""
        return pack_options(self.options) | self.tally.state()

    @classmethod
    def from_state(cls: type[F], state: State) -> F:
        """Return the fold that `state` came from."""
        fold = cls(unpack_options(state))
        fold.tally.restore(state)
        return fold


def pack_options(options: MetricsSpec) -> dict[str, np.ndarray]:
    """Return the options as arrays, ``option/<name>``."""
    return {f"option/{name}": np.atleast_1d(np.asarray(value)) for name, value in options}


def unpack_options(state: State) -> MetricsSpec:
    """Return the options that `pack_options` packed."""
    return MetricsSpec(
        top_k=state["option/top_k"].tolist(),
        recent_k=state["option/recent_k"].tolist(),
        peak_tolerance=state["option/peak_tolerance"].item(),
        row_tolerance=state["option/row_tolerance"].item(),
    )


def heads(rows: Rows) -> np.ndarray:
    """Labels of the head axis."""
    return np.arange(rows.weights.shape[0])


def real_rows(rows: Rows) -> np.ndarray:
    """Rows per ``[head, sample, query]`` that are no padding, as 0 and 1."""
    real: np.ndarray = to_numpy(rows.reason) != 1
    return real.astype(np.float64)
