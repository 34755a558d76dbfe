"""What stacked models look at, measured by the pipeline's own metrics."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import torch
from tests.calibration.batched import Params, Pool, as_it_is, forward
from torch import Tensor

from attnpipe.core.record import LayerRecord, Probe
from attnpipe.data.dataset import SequenceDataset
from attnpipe.diagnosis.collect import METRICS as READ
from attnpipe.measurement.run import measure
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.schema.model import LstmModel, ReaderModel

MODEL = "model"
VALIDITY = ("rows_valid", "rows_excluded", "peak_lag_mode")
"""Metrics that diagnosis needs beside those it reads as evidence, and where rows peak."""


def seen(
    spec: ReaderModel | LstmModel,
    checkpoints: Mapping[str, Params],
    datasets: Sequence[SequenceDataset],
    seeds: Sequence[int],
    options: MetricsSpec,
) -> pl.DataFrame:
    """Return `tables.METRICS` of all seeds at each checkpoint, means over the probe set."""
    inputs = torch.from_numpy(np.stack([data.windows(data.probe) for data in datasets]))
    mask = getattr(spec, "mask", None)
    support = torch.ones(inputs.shape[:3], dtype=torch.bool)
    if mask is not None:
        support = inputs[..., mask] > 0
    rows = {
        name: _weights(spec, {k: v.cpu() for k, v in params.items()}, inputs)
        for name, params in checkpoints.items()
    }
    return pl.concat([
        measured(
            {name: of[place].numpy() for name, of in rows.items()},
            support[place].numpy(), datasets[place].halves, options, seed,
        )
        for place, seed in enumerate(seeds)
    ])  # fmt: skip


def _weights(spec: ReaderModel | LstmModel, params: Params, inputs: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def look(weights: Tensor, pool: Pool) -> Tensor:
        kept.append(weights)
        return as_it_is(weights, pool)

    with torch.no_grad():
        forward(spec, params, inputs, look)
    return kept[0]


def measured(
    rows: Mapping[str, np.ndarray], support: np.ndarray, halves: np.ndarray,
    options: MetricsSpec, seed: int,
) -> pl.DataFrame:  # fmt: skip
    """Return `tables.METRICS` of one seed: checkpoint → its rows ``[sample, key]``."""
    samples, steps = support.shape
    records = [
        LayerRecord(
            checkpoint=name, layer=0,
            weights=weights[None, :, None], support=support[:, None],
            query_positions=np.array([steps - 1]), key_positions=np.arange(steps),
            samples=np.arange(samples),
        )
        for name, weights in rows.items()
    ]  # fmt: skip
    table = measure(records, Probe(halves), options, model=MODEL, seed=seed)
    wanted = pl.col("metric").is_in([*READ, *VALIDITY])
    return table.filter(wanted & pl.col("item").is_null() & pl.col("query").is_null())
