"""Attention of a model on the probe set, checkpoint by checkpoint."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from attnpipe.attention.hooks import observing
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.fold import Fold, State
from attnpipe.core.record import LayerRecord
from attnpipe.extraction.identifiability import NullShare
from attnpipe.extraction.recorder import Elements, Recorder
from attnpipe.tasks.predict import forward
from attnpipe.tasks.task import Batch

BATCH = 32
"""Probe samples per forward pass."""

ProbeBatch = Callable[[Int64[np.ndarray, " sample"]], Batch]
"""Indices into the probe set → their batch."""


def elements_per_sample(module: nn.Module, probe: ProbeBatch) -> int:
    """Return how many attention weights one sample has over all layers; 0 without attention."""
    counter = Elements()
    look(module, probe, np.array([0]), counter)
    return sum(counter.per_layer.values())


def samples_that_fit(
    halves: Int64[np.ndarray, " sample"], bytes_per_sample: int, max_bytes: float
) -> Int64[np.ndarray, " kept"]:
    """Return all samples if they fit, else as many as fit, evenly from both halves.

    Parameters
    ----------
    halves
        0 or 1 for each probe sample.
    bytes_per_sample
        Of all checkpoints and layers together.
    max_bytes
        Limit; one sample of each half is kept even if they exceed it.
    """
    if len(halves) * bytes_per_sample <= max_bytes:
        return np.arange(len(halves))
    members = [np.flatnonzero(halves == h) for h in np.unique(halves)]
    each = max(1, int(max_bytes // (bytes_per_sample * len(members))))
    each = min(each, min(len(m) for m in members))
    spread = [m[np.linspace(0, len(m) - 1, each).round().astype(np.int64)] for m in members]
    return np.sort(np.concatenate(spread))


def capture(
    module: nn.Module,
    probe: ProbeBatch,
    count: int,
    samples: Int64[np.ndarray, " kept"],
    checkpoint: str,
    make_fold: Callable[[], Fold],
) -> list[LayerRecord]:
    """Return one checkpoint's records.

    Parameters
    ----------
    module
        With the checkpoint's weights.
    probe, count
        The probe set and its size.
    samples
        Samples whose weights are kept; if not all, `make_fold` makes the fold over all.
    checkpoint
        Its name.
    make_fold
        Makes the fold stored as ``battery``.
    """
    recorder = Recorder(samples)
    everything = np.arange(count)
    if len(samples) == count:
        look(module, probe, everything, recorder)
        return recorder.records(checkpoint, {})
    folds: LayerFolds[Fold] = LayerFolds(lambda _: make_fold())
    look(module, probe, everything, recorder, folds)
    states: Mapping[int, Mapping[str, State]] = {
        layer: {"battery": fold.state()} for layer, fold in folds.folds.items()
    }
    return recorder.records(checkpoint, states)


def look(
    module: nn.Module,
    probe: ProbeBatch,
    samples: Int64[np.ndarray, " sample"],
    *observers: Recorder | Elements | LayerFolds[Fold] | NullShare,
) -> None:
    """Run some probe samples under observers."""
    with observing(*observers), torch.inference_mode():
        for start in range(0, len(samples), BATCH):
            part = samples[start : start + BATCH]
            forward(module, probe(part), part)
