"""One way to look at the rows: which rows, with or without their sinks."""

from typing import Literal

from attnpipe.metrics.row_fold import RowFold
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.head_distances import HeadDistances
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.metrics.tokens.lags import LagProfile
from attnpipe.metrics.tokens.peaks import SamplePeaks
from attnpipe.metrics.tokens.scores import HeadScores
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.metrics.tokens.variation import PrefixVariation
from attnpipe.schema.analysis import MetricsSpec

Which = Literal["all", "last"]
Condition = Literal["sinks_removed"] | None


class View:
    """All streaming folds over some of the rows.

    Parameters
    ----------
    options, texts
        As for every fold of tokens.
    which
        ``all`` rows of a text, or the row of its ``last`` token.
    condition
        None, or ``sinks_removed``: rows as by `sinks.without`.
    distance_rows
        Most rows of a text on which heads are compared.
    """

    def __init__(
        self,
        options: MetricsSpec,
        texts: Texts,
        which: Which,
        condition: Condition,
        distance_rows: int,
    ) -> None:
        self.which = which
        self.condition = condition
        self.means = RowMeans(options)
        self.incoming = Incoming(options)
        self.lags = LagProfile(options)
        self.peaks = SamplePeaks(options)
        self.scores = HeadScores(options, texts)
        self.distances = HeadDistances(options, texts, distance_rows)
        self.variation = PrefixVariation(options, texts, int(condition is not None))

    def add(self, rows: Rows) -> None:
        """Take in checked rows whose positions are token indices."""
        for fold in self.folds().values():
            fold.add(rows)

    def folds(self) -> dict[str, RowFold]:
        """Return name → fold."""
        return {
            "means": self.means,
            "incoming": self.incoming,
            "lags": self.lags,
            "peaks": self.peaks,
            "scores": self.scores,
            "distances": self.distances,
            "variation": self.variation,
        }
