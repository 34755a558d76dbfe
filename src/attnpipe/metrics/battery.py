"""All folds over attention rows as one."""

from attnpipe.core.block import Block
from attnpipe.core.fold import State
from attnpipe.metrics.peaks import Peaks
from attnpipe.metrics.profile import ProfileSums
from attnpipe.metrics.row_fold import RowFold
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.validity import RowValidity
from attnpipe.schema.analysis import MetricsSpec


class Battery:
    """The composite of all folds, one per layer and checkpoint; checks each row once.

    Invalid rows are counted in `validity` and excluded from everything else.
    """

    def __init__(self, options: MetricsSpec) -> None:
        self.options = options
        self.means = RowMeans(options)
        self.validity = RowValidity(options)
        self.profile = ProfileSums(options)
        self.peaks = Peaks(options)

    def add(self, rows: Rows) -> None:
        """Take in checked rows; each row is given exactly once."""
        for fold in self._folds().values():
            fold.add(rows)

    def update(self, block: Block) -> None:
        """Take in some rows; each row is given exactly once."""
        self.add(Rows.from_block(block, self.options.row_tolerance))

    def merge(self, other: "Battery") -> None:
        """Take in another battery's rows, disjoint from this one's."""
        theirs = other._folds()
        for name, fold in self._folds().items():
            fold.merge(theirs[name])

    def state(self) -> State:
        """Return all that is needed to go on: ``<fold>/<array>`` → array."""
        return {
            f"{name}/{key}": value
            for name, fold in self._folds().items()
            for key, value in fold.state().items()
        }

    @classmethod
    def from_state(cls, state: State) -> "Battery":
        """Return the battery that `state` came from."""
        parts: dict[str, dict] = {}
        for key, value in state.items():
            name, _, rest = key.partition("/")
            parts.setdefault(name, {})[rest] = value
        means = RowMeans.from_state(parts["means"])
        battery = cls(means.options)
        battery.means = means
        battery.validity = RowValidity.from_state(parts["validity"])
        battery.profile = ProfileSums.from_state(parts["profile"])
        battery.peaks = Peaks.from_state(parts["peaks"])
        return battery

    def _folds(self) -> dict[str, RowFold]:
        return {
            "means": self.means,
            "validity": self.validity,
            "profile": self.profile,
            "peaks": self.peaks,
        }
