"""The folds that need sums per query and key: for texts of limited length only."""

import numpy as np

from attnpipe.core.block import Block
from attnpipe.core.errors import UserError
from attnpipe.core.fold import State
from attnpipe.metrics.profile import ProfileSums
from attnpipe.metrics.row_fold import RowFold, unpack_options
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.battery import CONDITIONS, below
from attnpipe.metrics.tokens.kept_rows import ROWS, KeptRows
from attnpipe.metrics.tokens.rollout import HeadMean
from attnpipe.metrics.tokens.select import aligned, part
from attnpipe.metrics.tokens.sinks import sink_keys, without
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

DENSE_LIMIT = 1024
"""Longest text, in tokens, unless told otherwise: 8 MB per head or sample at float64."""


class DenseBattery:
    """Position/content split, rollout and distances between layers; one per layer.

    Samples without a text are passed over: give the texts of those wanted.

    Parameters
    ----------
    options
        Of the row metrics.
    texts
        The texts, with their declared sinks.
    dense_limit
        Most tokens of a text.
    kept_rows
        Rows of a text kept in full for distances between layers.

    Attributes
    ----------
    profiles
        Condition → sums per head, query and key over all texts: position and content.
    kept
        Condition → rows in full.
    head_mean
        Mean over heads per text, for the rollout; with all keys.

    Raises
    ------
    UserError
        If a text is longer than `dense_limit`.
    """

    def __init__(
        self,
        options: MetricsSpec,
        texts: Texts,
        *,
        dense_limit: int = DENSE_LIMIT,
        kept_rows: int = ROWS,
    ) -> None:
        refuse_long(texts, dense_limit)
        self.options, self.texts = options, texts
        self.dense_limit, self.kept_rows = dense_limit, kept_rows
        self.profiles = {condition: ProfileSums(options) for condition in CONDITIONS}
        self.kept = {condition: KeptRows(options, texts, kept_rows) for condition in CONDITIONS}
        self.head_mean = HeadMean(options, texts)

    def add(self, rows: Rows) -> None:
        """Take in checked rows; each row is given exactly once."""
        wanted = np.flatnonzero(np.isin(rows.samples, list(self.texts.tokens)))
        if not len(wanted):
            return
        known = part(rows, samples=wanted)
        for found in aligned(known, self.texts, self.options.row_tolerance):
            self.head_mean.add(found)
            removed = without(found, sink_keys(found, self.texts))
            for condition, taken in zip(CONDITIONS, (found, removed), strict=True):
                self.profiles[condition].add(taken)
                self.kept[condition].add(taken)

    def update(self, block: Block) -> None:
        """Take in some rows; each row is given exactly once."""
        self.add(Rows.from_block(block, self.options.row_tolerance))

    def merge(self, other: "DenseBattery") -> None:
        """Take in another battery's rows, disjoint from this one's."""
        self.texts = self.texts | other.texts
        theirs = other._folds()
        for name, fold in self._folds().items():
            fold.merge(theirs[name])

    def state(self) -> State:
        """Return all that is needed to go on: ``<fold>/<array>`` → array."""
        sums = {
            f"{name}/{key}": value
            for name, fold in self._folds().items()
            for key, value in fold.state().items()
            if not key.startswith("text/")
        }
        own = {name: np.array(getattr(self, name)) for name in ("dense_limit", "kept_rows")}
        return {**self.texts.state(), **own, **sums}

    @classmethod
    def from_state(cls, state: State) -> "DenseBattery":
        """Return the battery that `state` came from."""
        battery = cls(
            unpack_options(below("head_mean", state)),
            Texts.from_state(state),
            dense_limit=int(state["dense_limit"]),
            kept_rows=int(state["kept_rows"]),
        )
        for name, fold in battery._folds().items():
            fold.tally.restore(below(name, state))
        return battery

    def _folds(self) -> dict[str, RowFold]:
        folds: dict[str, RowFold] = {"head_mean": self.head_mean}
        for condition in CONDITIONS:
            name = condition or "all"
            folds |= {f"{name}/profile": self.profiles[condition]}
            folds |= {f"{name}/kept": self.kept[condition]}
        return folds


def refuse_long(texts: Texts, dense_limit: int) -> None:
    """Refuse texts that are too long for sums per query and key.

    Raises
    ------
    UserError
        Names the longest text.
    """
    lengths = {sample: len(tokens.ids) for sample, tokens in texts.tokens.items()}
    sample = max(lengths, key=lengths.__getitem__, default=None)
    if sample is not None and lengths[sample] > dense_limit:
        raise UserError(
            f"text {sample} has {lengths[sample]} tokens, more than dense_limit {dense_limit}: "
            "raise dense_limit, shorten the text or leave the dense metrics out"
        )
