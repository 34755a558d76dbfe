"""One optimiser step, and how many items each of an epoch takes."""

import math

import numpy as np
from jaxtyping import Int64
from torch import nn
from torch.optim import Optimizer

from attnpipe.schema.training import TrainingSpec
from attnpipe.tasks.task import Examples


def step_sizes(training: TrainingSpec, count: int) -> list[int]:
    """Return the items of each step of an epoch, where there are so many to train on."""
    n = training.windows_per_epoch or count
    return [min(training.batch_size, n - taken) for taken in range(0, n, training.batch_size)]


def take_step(
    task: Examples,
    module: nn.Module,
    optimizer: Optimizer,
    training: TrainingSpec,
    items: Int64[np.ndarray, " item"],
) -> float:
    """Take an optimiser step on some training items; return their mean loss before it.

    The module is in training mode. Where the loss is not finite the step is not taken.
    """
    batch = task.batch("train", items)
    loss = task.loss(module(batch.inputs), batch).mean()
    value = float(loss.item())
    if not math.isfinite(value):
        return value
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if training.clip_norm is not None:
        nn.utils.clip_grad_norm_(module.parameters(), training.clip_norm)
    optimizer.step()
    return value
