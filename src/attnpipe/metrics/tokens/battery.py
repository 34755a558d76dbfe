"""All streaming folds over the rows of texts as one."""

from collections.abc import Callable, Mapping

import numpy as np

from attnpipe.core.block import Block
from attnpipe.core.fold import State
from attnpipe.metrics.row_fold import RowFold, unpack_options
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.head_distances import ROWS
from attnpipe.metrics.tokens.select import aligned, last_row
from attnpipe.metrics.tokens.sinks import sink_keys, without
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.metrics.tokens.validity import SampleValidity
from attnpipe.metrics.tokens.view import Condition, View, Which
from attnpipe.schema.analysis import MetricsSpec

CONDITIONS: tuple[Condition, ...] = (None, "sinks_removed")
WHICH: tuple[Which, ...] = ("all", "last")

Views = Mapping[tuple[Which, Condition], View]


class TokenBattery:
    """The composite of all streaming folds, one per layer; checks each row once.

    For self-attention: queries and keys are tokens of the same text. What it holds grows
    in proportion to the length of the texts. Rows and keys that are no token of a text
    (padding, generated tokens) are left out, see `select.aligned`.

    Parameters
    ----------
    options
        Of the row metrics.
    texts
        The texts, with their declared sinks.
    distance_rows
        Most rows of a text on which heads are compared.

    Attributes
    ----------
    validity
        Counts of rows by reason.
    """

    def __init__(self, options: MetricsSpec, texts: Texts, *, distance_rows: int = ROWS) -> None:
        self.options, self.texts, self.distance_rows = options, texts, distance_rows
        self.validity = SampleValidity(options)
        self._views = {
            (which, condition): View(options, texts, which, condition, distance_rows)
            for condition in CONDITIONS
            for which in WHICH
        }
        self._later: list[Callable[[Views], None]] = []

    @property
    def views(self) -> Views:
        """``(rows, condition)`` → the folds.

        Rows are ``all`` and ``last``; the condition is None (all keys) or ``sinks_removed``.
        """
        while self._later:
            self._later.pop(0)(self._views)
        return self._views

    def add(self, rows: Rows) -> None:
        """Take in checked rows; each row is given exactly once."""
        for found in aligned(rows, self.texts, self.options.row_tolerance):
            self.validity.add(found)
            self._add("all", found)
            last = last_row(found, self.texts)
            if last is not None:
                self._add("last", last)

    def later(self, fill: Callable[[Views], None]) -> None:
        """Have the views on last rows filled when a view is next asked for.

        What the folds make of a row takes many times its room, and the model is to go on first.
        """
        self._later.append(fill)

    def update(self, block: Block) -> None:
        """Take in some rows; each row is given exactly once."""
        self.add(Rows.from_block(block, self.options.row_tolerance))

    def _add(self, which: Which, rows: Rows) -> None:
        self._views[which, None].add(rows)
        self._views[which, "sinks_removed"].add(without(rows, sink_keys(rows, self.texts)))

    def merge(self, other: "TokenBattery") -> None:
        """Take in another battery's rows, disjoint from this one's."""
        self.texts = self.texts | other.texts
        theirs = other._folds()
        for name, fold in self._folds().items():
            fold.merge(theirs[name])

    def state(self) -> State:
        """Return all that is needed to go on: ``<view>/<fold>/<array>`` → array."""
        sums = {
            f"{name}/{key}": value
            for name, fold in self._folds().items()
            for key, value in fold.state().items()
            if not key.startswith("text/")  # once is enough
        }
        return {**self.texts.state(), "distance_rows": np.array(self.distance_rows), **sums}

    @classmethod
    def from_state(cls, state: State) -> "TokenBattery":
        """Return the battery that `state` came from."""
        options = unpack_options(below("validity", state))
        battery = cls(options, Texts.from_state(state), distance_rows=int(state["distance_rows"]))
        for name, fold in battery._folds().items():
            fold.tally.restore(below(name, state))
        return battery

    def _folds(self) -> dict[str, RowFold]:
        folds: dict[str, RowFold] = {"validity": self.validity}
        for (which, condition), view in self.views.items():
            name = "_".join(filter(None, (which, condition)))
            folds |= {f"{name}/{key}": fold for key, fold in view.folds().items()}
        return folds


def below(name: str, state: State) -> dict[str, np.ndarray]:
    """Return the part of a composite's state that is one fold's."""
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in state.items() if key.startswith(start)}
