"""All folds over attention rows whose memory does not grow with the square of the length."""

from attnpipe.core.block import Block
from attnpipe.core.fold import State
from attnpipe.metrics.row_fold import RowFold
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.metrics.tokens.lags import LagProfile
from attnpipe.metrics.tokens.peaks import SamplePeaks
from attnpipe.metrics.tokens.validity import SampleValidity
from attnpipe.schema.analysis import MetricsSpec


class StreamingBattery:
    """The composite of the streaming folds, one per layer; checks each row once.

    `fused.FusedBattery` fills the same folds without their ever seeing a row; what they
    make of rows by themselves is its reference.

    Attributes
    ----------
    means
        Row metrics per head and sample.
    validity
        Rows that count, and why others do not, per head and sample.
    peaks
        Resolved peaks by lag, per head and sample.
    incoming
        What each key receives, and would receive from uniform attention.
    lags
        The same by lag.
    """

    def __init__(self, options: MetricsSpec) -> None:
        self.options = options
        self.means = RowMeans(options)
        self.validity = SampleValidity(options)
        self.peaks = SamplePeaks(options)
        self.incoming = Incoming(options)
        self.lags = LagProfile(options)

    def add(self, rows: Rows) -> None:
        """Take in checked rows; each row is given exactly once."""
        for fold in self.folds().values():
            fold.add(rows)

    def update(self, block: Block) -> None:
        """Take in some rows; each row is given exactly once."""
        self.add(Rows.from_block(block, self.options.row_tolerance))

    def merge(self, other: "StreamingBattery") -> None:
        """Take in another battery's rows, disjoint from this one's."""
        theirs = other.folds()
        for name, fold in self.folds().items():
            fold.merge(theirs[name])

    def state(self) -> State:
        """Return all that is needed to go on: ``<fold>/<array>`` → array."""
        return {
            f"{name}/{key}": value
            for name, fold in self.folds().items()
            for key, value in fold.state().items()
        }

    @classmethod
    def from_state(cls, state: State) -> "StreamingBattery":
        """Return the battery that `state` came from."""
        start = "means/"
        means = RowMeans.from_state(
            {key.removeprefix(start): v for key, v in state.items() if key.startswith(start)}
        )
        battery = cls(means.options)
        for name, fold in battery.folds().items():
            fold.tally.restore(
                {
                    key.removeprefix(f"{name}/"): value
                    for key, value in state.items()
                    if key.startswith(f"{name}/")
                }
            )
        return battery

    def folds(self) -> dict[str, RowFold]:
        """Return name → fold."""
        return {
            "means": self.means,
            "validity": self.validity,
            "peaks": self.peaks,
            "incoming": self.incoming,
            "lags": self.lags,
        }
