"""The protocol of incremental metrics."""

from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from attnpipe.core.block import Block

State = Mapping[str, np.ndarray]

F = TypeVar("F", bound="Fold")  # not Self: beartype knows it in decorated classes only


@runtime_checkable
class Fold(Protocol):
    """An accumulator over blocks of attention rows.

    Blocks may come in any order and split in any way (by samples or by queries):
    the result does not depend on it beyond rounding. Inputs are never mutated.
    """

    def update(self, block: Block) -> None:
        """Take in some rows; each row is given exactly once."""

    def merge(self: F, other: F) -> None:
        """Take in another fold's rows, disjoint from this one's."""

    def state(self) -> State:
        """Return all that is needed to go on, as numpy arrays."""

    @classmethod
    def from_state(cls: type[F], state: State) -> F:
        """Return the fold that `state` came from."""
