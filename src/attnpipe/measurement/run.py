"""Attention records of one run → its metrics table."""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from attnpipe.core.errors import UserError
from attnpipe.core.record import SHUFFLED, LayerRecord, Probe
from attnpipe.measurement.divergence import RowDivergence, require_same_rows
from attnpipe.measurement.emit import emit, emit_row_means, emit_split
from attnpipe.measurement.order import by_layer, references
from attnpipe.measurement.parts import block, parts
from attnpipe.measurement.table import MetricTable
from attnpipe.measurement.token_scores import emit_scores, fold_of
from attnpipe.metrics.battery import Battery
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.scores import HeadScores
from attnpipe.schema.analysis import MetricsSpec


def measure(
    records: Iterable[LayerRecord],
    probe: Probe,
    options: MetricsSpec,
    *,
    model: str,
    seed: int,
) -> pl.DataFrame:
    """Return every metric of one run, as rows of `attnpipe.tables.metrics.METRICS`.

    Parameters
    ----------
    records
        Every layer at every checkpoint, in any order. Weights may be memory-mapped: they
        are read in blocks, one checkpoint with its predecessor and the last epoch.
    probe
        Says which checkpoint is final (that one is also measured per probe sample) and
        what was averaged before the weights were stored (which metrics are unknowable).
    options
        Of the metrics.
    model, seed
        Names of the run.

    Returns
    -------
    polars.DataFrame
        Ordered by layer, checkpoint, metric, head; empty without records.

    Raises
    ------
    UserError
        If the final checkpoint is missing, checkpoints of the trajectory do not hold the
        same rows, or a stored battery has other options.
    """
    layers = by_layer(records)
    table = MetricTable(model, seed)
    for layer, own in layers.items():
        names = [record.checkpoint for record in own]
        if probe.final not in names:
            raise UserError(
                f"layer {layer} of model '{model}' has no final checkpoint '{probe.final}' "
                f"among {', '.join(names)}: extract it or declare another one final"
            )
        for index, record in enumerate(own):
            if record.checkpoint == SHUFFLED:
                table.at(probe.final, layer)
                battery, _ = measure_record(record, {}, options)
                emit_row_means(table, battery, per_item=False, condition=SHUFFLED)
                emit_split(table, battery, condition=SHUFFLED)
                continue
            scores = fold_of(probe, options)
            battery, divergences = measure_record(record, references(own, index), options, scores)
            table.at(record.checkpoint, layer)
            emit(table, battery, probe, per_item=record.checkpoint == probe.final)
            if record.checkpoint == probe.final and layer in probe.null_shares:
                known = [np.nan if s is None else s for s in probe.null_shares[layer]]
                table.add("null_share", np.array(known), 0, 0)
            if scores is not None:
                emit_scores(table, scores, probe.halves)
            for name, jsd in divergences.items():
                table.add(f"jsd_{name}", jsd.mean, jsd.count, jsd.excluded)
    return table.frame()


def measure_record(
    record: LayerRecord,
    others: Mapping[str, LayerRecord],
    options: MetricsSpec,
    scores: HeadScores | None = None,
) -> tuple[Battery, dict[str, RowDivergence]]:
    """Return the battery of one record and the divergence of its rows to others'.

    Where the record has a stored battery over all samples, that one is taken and its
    weights, which are of some samples only, serve the divergences and `scores` alone.
    """
    stored = record.states.get("battery")
    battery = Battery(options) if stored is None else Battery.from_state(stored)
    if battery.options != options:
        raise UserError(
            f"the stored metrics of checkpoint '{record.checkpoint}' were captured with "
            f"{battery.options}, not with {options}: extract again with the same options"
        )
    divergences = {name: RowDivergence() for name in others}
    for other in others.values():
        require_same_rows(record, other)
    for part in parts(record) if stored is None or others or scores is not None else ():
        rows = Rows.from_block(block(record, part), options.row_tolerance)
        if stored is None:
            battery.add(rows)
        if scores is not None:
            scores.add(rows)
        for name, other in others.items():
            theirs = Rows.from_block(block(other, part), options.row_tolerance)
            divergences[name].add(rows, theirs)
    return battery, divergences
