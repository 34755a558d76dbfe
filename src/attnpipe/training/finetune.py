"""Going on with the training of a checkpoint for a few steps."""

import math
from itertools import cycle, islice

import torch
from torch import nn

from attnpipe.models.determinism import deterministic
from attnpipe.schema.training import TrainingSpec
from attnpipe.tasks.task import Task
from attnpipe.training.order import ShuffledItems
from attnpipe.training.registry import OPTIMIZERS
from attnpipe.training.seeds import Seeds
from attnpipe.training.steps import step_sizes, take_step


def finetune(
    task: Task, module: nn.Module, training: TrainingSpec, seeds: Seeds, *, share: float, epoch: int
) -> bool:
    """Train a module further; bitwise repeatable.

    Nothing is chosen on validation items: what counts is the end. The optimiser starts anew, as
    its state is not kept, and at the rate that training started with: rates fall where training
    stalls, and one that has fallen far could make up for nothing.

    Parameters
    ----------
    task
        What it was trained on.
    module
        Holds the weights of a checkpoint; trained in place. Hooks on attention act.
    training
        How it was trained.
    seeds
        Of its run: items come in the order in which training would have gone on.
    share
        Of the steps that training took: so many more, at least one.
    epoch
        After which the checkpoint was kept.

    Returns
    -------
    bool
        Whether all losses were finite.
    """
    count = task.count("train")
    sizes = step_sizes(training, count)
    steps = max(1, round(share * training.epochs * len(sizes)))
    order = ShuffledItems(count, seeds.order)
    order.take(epoch * sum(sizes))
    optimizer = OPTIMIZERS.load(training.optimizer)(module.parameters(), training)
    with deterministic(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.noise)
        module.train()
        losses = (
            take_step(task, module, optimizer, training, order.take(size))
            for size in islice(cycle(sizes), steps)
        )
        return all(math.isfinite(loss) for loss in losses)
