"""A run whose input is shortened."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import torch

from attnpipe.core.outcome import Outcome
from attnpipe.data.storage import Dataset
from attnpipe.data.tokens import TokenDataset
from attnpipe.interventions.compression.table import LossTable
from attnpipe.interventions.compression.tokens import shorten_sequences
from attnpipe.interventions.compression.windows import shorten_windows
from attnpipe.models.build import build_model
from attnpipe.models.determinism import deterministic
from attnpipe.models.load import load_checkpoint
from attnpipe.schema.compression import CompressionSpec
from attnpipe.schema.model import SavedModel, Trainable


def compress(
    dataset: Dataset,
    model: Trainable | SavedModel,
    checkpoints: Mapping[str, Mapping[str, np.ndarray]],
    outcome: Outcome,
    spec: CompressionSpec,
    *,
    name: str,
    seed: int,
) -> pl.DataFrame:
    """Score a run on a part of its input: of sequences of tokens, or of windows of numbers.

    Parameters
    ----------
    dataset
        The study's data.
    model, checkpoints, outcome
        The run; weights are those of checkpoint ``best``.
    spec
        What is kept.
    name, seed
        Of the run.

    Returns
    -------
    DataFrame
        `tables.COMPRESSION_LOSSES`; empty if the run did not end well.
    """
    table = LossTable(name, seed)
    if outcome.outcome != "ok":
        return table.frame()
    module = build_model(model, dataset.inputs, dataset.window, seed=0)
    load_checkpoint(module, checkpoints["best"], run=f"{name}/seed-{seed}", checkpoint="best")
    module.eval()
    with deterministic(), torch.inference_mode():
        if isinstance(dataset, TokenDataset):
            shorten_sequences(module, dataset, spec, table)
        else:
            shorten_windows(module, dataset, spec, table, placed=model.kind == "reader")
    return table.frame()
