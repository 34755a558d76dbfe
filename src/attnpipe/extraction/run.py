"""Extraction of one run: its attention on the probe set and its forecasts of the test split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from attnpipe.core.failing import reason_of_failure
from attnpipe.core.fold import Fold
from attnpipe.core.outcome import Outcome
from attnpipe.core.record import SHUFFLED, LayerRecord, Probe
from attnpipe.data.storage import Dataset
from attnpipe.data.tokens import TokenDataset
from attnpipe.extraction.capture import capture, elements_per_sample, look, samples_that_fit
from attnpipe.extraction.identifiability import NullShare
from attnpipe.extraction.shuffle import shuffled
from attnpipe.metrics.registry import FOLDS
from attnpipe.models.build import build_model
from attnpipe.models.determinism import deterministic
from attnpipe.models.load import load_checkpoint
from attnpipe.schema.analysis import CaptureSpec, MetricsSpec
from attnpipe.schema.model import SavedModel, Trainable
from attnpipe.tasks.build import task_of
from attnpipe.tasks.task import Batch

Checkpoints = Mapping[str, Mapping[str, np.ndarray]]
"""Checkpoint → tensor name → array."""

FEW = 32
"""Probe samples whose values are looked at."""
_BYTES = np.dtype(np.float32).itemsize


@dataclass(frozen=True)
class Extracted:
    """What is known of a run once it was looked at.

    Attributes
    ----------
    records
        Layers of each checkpoint, ``untrained`` first, then epochs, ``best``, and `SHUFFLED`
        if asked for; none for a model without attention, or one that failed.
    probe
        The inputs on which attention was captured.
    """

    records: list[LayerRecord]
    probe: Probe


def extract(
    dataset: Dataset,
    model: Trainable | SavedModel,
    checkpoints: Checkpoints,
    outcome: Outcome,
    capture_spec: CaptureSpec,
    metrics: MetricsSpec | None,
    *,
    run: str,
) -> Extracted:
    """Capture a run's attention at every kept checkpoint.

    Attention is stored in full (float32) for all probe samples if all checkpoints and
    layers together stay below the limit. Else for as many samples as fit, evenly from
    both halves, beside the state of the metrics' battery over all samples.

    Parameters
    ----------
    dataset
        The study's data.
    model
        The run's model.
    checkpoints, outcome
        What training left; any order.
    capture_spec
        The size limit, and whether shuffled inputs are read.
    metrics
        Options of the battery, which is loaded only where weights exceed the limit.
    run
        ``<model>/seed-<seed>``, for messages.

    Raises
    ------
    UserError
        A checkpoint's tensors do not fit the model or hold NaN or infinite values.
    """
    if outcome.outcome == "failed":
        return Extracted([], Probe(dataset.halves, failure=outcome.reason))
    try:
        return _extract(dataset, model, checkpoints, capture_spec, metrics, run)
    except Exception as error:  # a model is a program: it can fail in any way
        return Extracted([], Probe(dataset.halves, failure=reason_of_failure(error, run)))


def _extract(
    dataset: Dataset,
    model: Trainable | SavedModel,
    checkpoints: Checkpoints,
    capture_spec: CaptureSpec,
    metrics: MetricsSpec | None,
    run: str,
) -> Extracted:
    task = task_of(dataset)
    module = build_model(model, dataset.inputs, dataset.window, seed=0)

    def probe(samples: Int64[np.ndarray, " sample"]) -> Batch:
        return task.probe(samples)

    def battery() -> Fold:
        fold: Fold = FOLDS.load("battery")(metrics)
        return fold

    with deterministic():
        per_sample = elements_per_sample(module, probe)
        samples = samples_that_fit(
            dataset.halves,
            per_sample * _BYTES * (len(checkpoints) + capture_spec.shuffled_inputs),
            capture_spec.max_megabytes * 1e6,
        )
        if len(samples) < len(dataset.probe) and metrics is None:
            raise ValueError("weights exceed the limit, and no options of the battery are given")
        records, shares = [], NullShare()
        for name in sorted(checkpoints, key=_order) if per_sample else []:
            load_checkpoint(module, checkpoints[name], run=run, checkpoint=name)
            records += capture(module, probe, len(dataset.probe), samples, name, battery)
            if name == "best":
                look(module, probe, few_of(len(dataset.probe)), shares)
                if capture_spec.shuffled_inputs:
                    other = shuffled(probe, getattr(model, "mask", None))
                    records += capture(
                        module, other, len(dataset.probe), samples, SHUFFLED, battery
                    )
    published_row = getattr(module, "published_row", "only")
    tokens = dataset.probe_tokens if isinstance(dataset, TokenDataset) else None
    return Extracted(
        records,
        Probe(
            dataset.halves,
            published_row=published_row,
            tokens=tokens,
            null_shares=shares.means(),
        ),
    )


def few_of(count: int) -> Int64[np.ndarray, " few"]:
    """Return so few probe samples, evenly spread."""
    return np.linspace(0, count - 1, min(count, FEW)).round().astype(np.int64)


def _order(checkpoint: str) -> tuple[int, str]:
    return (0 if checkpoint == "untrained" else 2 if checkpoint == "best" else 1, checkpoint)
