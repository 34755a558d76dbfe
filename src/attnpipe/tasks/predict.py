"""Outputs of a model for given items, in evaluation mode."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import nn

from attnpipe.attention.hooks import on_samples
from attnpipe.tasks.task import Batch, Split, Task

BATCH = 256
"""Items per forward pass; results do not depend on it beyond rounding."""


def forward(
    module: nn.Module, batch: Batch, items: Int64[np.ndarray, " item"]
) -> Float[np.ndarray, "item ..."]:
    """Return a batch's outputs; attention hooks are told the items' numbers."""
    module.eval()
    with torch.inference_mode(), on_samples(torch.from_numpy(items)):
        outputs: np.ndarray = module(batch.inputs).numpy()
    return outputs


def predict(
    task: Task, module: nn.Module, split: Split, items: Int64[np.ndarray, " item"] | None = None
) -> Float[np.ndarray, "item ..."]:
    """Return the outputs for some items (all by default) of a split, in their order."""
    wanted = np.arange(task.count(split)) if items is None else items
    parts = (wanted[i : i + BATCH] for i in range(0, len(wanted), BATCH))
    return np.concatenate([forward(module, task.batch(split, p), p) for p in parts])
