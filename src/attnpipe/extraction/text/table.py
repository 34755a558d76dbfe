"""What token batteries say, as rows of table `TEXT_METRICS`."""

from collections import defaultdict
from collections.abc import Collection, Mapping

import numpy as np
import polars as pl
from jaxtyping import Float

from attnpipe.extraction.text.found_sinks import (
    Row,
    fold_last_rows,
    sinks_by_variant,
    with_declared,
)
from attnpipe.metrics.reduce import mean_of_known
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.rows import REASONS
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED
from attnpipe.metrics.tokens.masses import mass_on
from attnpipe.metrics.tokens.peaks import SamplePeaks
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.metrics.tokens.view import View
from attnpipe.tables.text import ALWAYS_PER_HEAD, TEXT_METRICS

Values = Float[np.ndarray, "head sample"]


class TextMetricTable:
    """Rows of `TEXT_METRICS` of one model, gathered as arrays until `frame`.

    Parameters
    ----------
    model
        Name of the model.
    whole
        Items whose profiles over keys and lags are given for every head; those of the
        others are means over heads.
    per_head
        Row metrics that are given for every head; the others are means over heads. Those of
        `ALWAYS_PER_HEAD` are given anyway.
    variants
        Variant → its items: texts of one kind, over which the weights tell what a sink is.
    """

    def __init__(
        self,
        model: str,
        whole: Collection[int],
        per_head: Collection[str],
        variants: Mapping[str, Collection[int]],
    ) -> None:
        self._model, self._whole = model, frozenset(whole)
        self._per_head = frozenset(per_head) | frozenset(ALWAYS_PER_HEAD)
        self._variants = {name: frozenset(items) for name, items in variants.items()}
        self._texts: defaultdict[str, list[str | None]] = defaultdict(list)
        self._cells: defaultdict[str, list[np.ndarray]] = defaultdict(list)

    def add(self, checkpoint: str, layer: int, battery: TokenBattery) -> None:
        """Add everything that one layer's battery knows."""
        where = {"checkpoint": checkpoint, "layer": layer}
        self._validity(where, battery)
        for view in battery.views.values():
            at = where | {"condition": view.condition, "rows": view.which}
            self._means(at, view.means)
            self._peaks(at, view.peaks)
            self._sinks(at, view, battery)
            if view.which == "all":
                self._scores(at, view)
                self._profiles(at, view)
                self._distances(at, view)
                self._variation(at, view)
                if view.condition is None:
                    self._data_sinks(at, view)

    def add_without_found(
        self, checkpoint: str, layer: int, battery: TokenBattery, last: Mapping[int, Row]
    ) -> None:
        """Add the row metrics and peaks of a layer's last rows off declared and found sinks.

        Which keys the weights show to be sinks is known once all rows were seen, and rows are
        seen once: what is not stored cannot be folded again without them.

        Parameters
        ----------
        checkpoint, layer
            Whose they are.
        battery
            Of that layer.
        last
            Item → its stored last row.
        """
        found = sinks_by_variant(battery.views["all", None].incoming, self._variants)
        sinks = with_declared(found, self._variants, battery.texts)
        means, peaks = RowMeans(battery.options), SamplePeaks(battery.options)
        fold_last_rows([means, peaks], last, sinks, battery.options.row_tolerance)
        at = {"checkpoint": checkpoint, "layer": layer, "condition": FOUND_SINKS_REMOVED}
        self._means(at | {"rows": "last"}, means)
        self._peaks(at | {"rows": "last"}, peaks)

    def _validity(self, where: dict, battery: TokenBattery) -> None:
        found, at = battery.validity, where | {"rows": "all"}
        samples, total = found.samples, found.total
        self._put(at, "rows_valid", found.valid, samples, total)
        for reason in REASONS:
            count = found.excluded(reason)
            if count.any():
                self._put(at | {"condition": reason}, "rows_excluded", count, samples, total)

    def _means(self, at: dict, means: RowMeans) -> None:
        rows, samples = means.rows, means.samples
        for metric in means.metrics:
            of = means.means(metric)
            value, count, left_out = of.item_mean, of.item_count, rows - of.item_count
            if metric in self._per_head:
                self._put(at, metric, value, samples, count, excluded=left_out)
            else:
                self._cell(
                    at, metric, mean_of_known(value.T), count.sum(axis=0), item=samples,
                    head=np.array(np.nan), excluded=left_out.sum(axis=0),
                )  # fmt: skip

    def _peaks(self, at: dict, peaks: SamplePeaks) -> None:
        """Add how many rows have a resolved peak, and of all rows at which lags.

        The lag of a single row is told by `focus_position`.
        """
        samples, resolved = peaks.samples, peaks.resolved
        self._put(at, "peak_resolved_share", peaks.share, samples, peaks.rows)
        if at["rows"] != "all":
            return
        low, median, high = (peaks.quantile(q) for q in (0.25, 0.5, 0.75))
        open_ = peaks.rows - resolved
        for metric, value in (
            ("peak_lag_mode", peaks.mode()),
            ("peak_lag_median", median),
            ("peak_lag_iqr", high - low),
        ):
            self._put(at, metric, value, samples, resolved, excluded=open_)

    def _sinks(self, at: dict, view: View, battery: TokenBattery) -> None:
        if view.condition is not None:
            return
        samples = view.incoming.samples
        masses = [
            mass_on(view.incoming.of(s), np.flatnonzero(battery.texts[s].sinks))
            for s in samples.tolist()
        ]
        value = np.stack([m.mass for m in masses], axis=-1)
        chance = np.stack([m.chance for m in masses], axis=-1)
        rows = np.stack([view.incoming.of(s).rows for s in samples.tolist()], axis=-1)
        self._put(at, "sink_mass", value, samples, rows, chance=chance)

    def _data_sinks(self, at: dict, view: View) -> None:
        """Add the mass on keys that the weights show to be sinks of this layer."""
        for name, places in sinks_by_variant(view.incoming, self._variants).items():
            items = self._variants[name]
            for key in places.tolist():
                for sample in sorted(items.intersection(view.incoming.samples.tolist())):
                    received = view.incoming.of(sample)
                    if key in received.keys:
                        on = mass_on(received, np.array([key]))
                        self._target(
                            at, "data_sink_mass", sample, np.array([key]), on.mass[:, None],
                            received.rows[:, None], on.chance[:, None],
                        )  # fmt: skip

    def _scores(self, at: dict, view: View) -> None:
        for name in SCORES:
            score = view.scores.score(name)
            self._put(at, name, score.value, view.scores.samples, score.rows, chance=score.chance)

    def _profiles(self, at: dict, view: View) -> None:
        for sample in view.incoming.samples.tolist():
            received, lags = view.incoming.of(sample), view.lags.of(sample)
            for metric, targets, value, chance in (
                ("incoming_mass", received.keys, received.mass, received.exposure),
                ("incoming_ratio", received.keys, received.ratio, None),
                ("lag_profile", lags.lags, lags.mass, lags.chance),
            ):
                rows = received.rows[:, None]
                if sample in self._whole:
                    self._target(at, metric, sample, targets, value, rows, chance)
                mean = None if chance is None else chance.mean(axis=0, keepdims=True)
                self._target(
                    at, metric, sample, targets, value.mean(axis=0, keepdims=True),
                    rows.sum(axis=0, keepdims=True), mean, heads=np.array([np.nan]),
                )  # fmt: skip

    def _distances(self, at: dict, view: View) -> None:
        mean, count = view.distances.mean(), view.distances.count
        first, second = np.triu_indices(mean.shape[0], 1)
        for place, sample in enumerate(view.distances.samples.tolist()):
            self._cell(
                at, "head_distance", mean[first, second, place], count[first, second, place],
                head=first, item=sample, target=second,
            )  # fmt: skip

    def _variation(self, at: dict, view: View) -> None:
        found = view.variation
        self._put(at, "query_variation", found.variation(), found.samples, found.rows)
        lags = view.lags
        self._put(at, "lag_variation", lags.variation(), lags.samples, lags.rows)

    def _put(
        self,
        at: dict,
        metric: str,
        value: Values,
        samples: np.ndarray,
        rows: np.ndarray,
        *,
        chance: np.ndarray | None = None,
        excluded: np.ndarray | None = None,
    ) -> None:
        heads = np.arange(value.shape[0])
        self._cell(
            at, metric, value, rows, chance=chance, excluded=excluded,
            head=np.repeat(heads, len(samples)), item=np.tile(samples, len(heads)),
        )  # fmt: skip

    def _target(
        self, at: dict, metric: str, sample: int, targets: np.ndarray, value: np.ndarray,
        rows: np.ndarray, chance: np.ndarray | None, heads: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        heads = np.arange(value.shape[0]) if heads is None else heads
        self._cell(
            at, metric, value, rows, chance=chance, item=sample,
            head=np.repeat(heads, len(targets)), target=np.tile(targets, len(heads)),
        )  # fmt: skip

    def _cell(
        self, at: dict, metric: str, value: np.ndarray, rows: np.ndarray, *,
        head: np.ndarray, item: np.ndarray | int, target: np.ndarray | None = None,
        chance: np.ndarray | None = None, excluded: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        columns = {
            "value": value, "n_rows": rows, "head": head, "item": item,
            "target": np.nan if target is None else target,
            "chance": np.nan if chance is None else chance,
            "n_excluded": 0 if excluded is None else excluded,
        }  # fmt: skip
        for name, column in columns.items():
            cells = np.asarray(column, dtype=np.float64)
            if cells.ndim == value.ndim:
                cells = np.broadcast_to(cells, value.shape).ravel()
            self._cells[name].append(np.broadcast_to(cells, value.size))
        for name, text in {"condition": None, **at, "metric": metric}.items():
            self._texts[name].append(text)

    def frame(self) -> pl.DataFrame:
        """Return all rows; NaN is null."""
        if not self._cells:
            return TEXT_METRICS.frame()
        sizes = [len(c) for c in self._cells["value"]]
        group = np.repeat(np.arange(len(sizes)), sizes)
        numbers = pl.DataFrame({n: np.concatenate(c) for n, c in self._cells.items()})
        numbers = numbers.with_columns(pl.col(pl.Float64).fill_nan(None))
        constants = [
            pl.Series(name, values, TEXT_METRICS.schema[name]).gather(group)
            for name, values in self._texts.items()
        ]
        return TEXT_METRICS.conform(
            numbers.with_columns(pl.lit(self._model).alias("model"), *constants)
        )
