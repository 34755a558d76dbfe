"""What folds share that need to know the tokens."""

from typing import TypeVar

import numpy as np

from attnpipe.core.block import Block
from attnpipe.core.fold import State
from attnpipe.metrics.row_fold import RowFold, unpack_options
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tally import Tally
from attnpipe.metrics.tokens.select import aligned
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

F = TypeVar("F", bound="TokenFold")  # not Self: beartype knows it in decorated classes only


class TokenFold(RowFold):
    """A fold over rows whose positions are token indices (`select.aligned`).

    `add` takes such rows; `update` aligns them itself. Settings of a subclass are
    integers: keyword arguments named in `settings`, kept as attributes.
    """

    settings: tuple[str, ...] = ()

    def __init__(self, options: MetricsSpec, texts: Texts) -> None:
        super().__init__(options)
        self.texts = texts

    def update(self, block: Block) -> None:
        """Take in some rows; each row is given exactly once."""
        tolerance = self.options.row_tolerance
        for rows in aligned(Rows.from_block(block, tolerance), self.texts, tolerance):
            self.add(rows)

    def merge(self: F, other: F) -> None:
        """Take in another fold's rows, disjoint from this one's."""
        self.texts = self.texts | other.texts
        super().merge(other)

    def state(self) -> State:
        """Return all that is needed to go on, as numpy arrays."""
        own = {f"setting/{name}": np.array(getattr(self, name)) for name in self.settings}
        return {**super().state(), **self.texts.state(), **own}

    @classmethod
    def from_state(cls: type[F], state: State) -> F:
        """Return the fold that `state` came from."""
        own = {name: int(state[f"setting/{name}"]) for name in cls.settings}
        fold = cls(unpack_options(state), Texts.from_state(state), **own)
        fold.tally.restore(state)
        return fold


def place(tally: Tally, sample: int) -> int:
    """Return the index of a sample along the sample axis.

    Raises
    ------
    ValueError
        If no row of it was seen.
    """
    samples = tally.labels("sample")
    found = int(np.searchsorted(samples, sample))
    if found == len(samples) or samples[found] != sample:
        raise ValueError(f"no row of sample {sample} was seen")
    return found
