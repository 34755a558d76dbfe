"""The one training loop, for any task and module."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from attnpipe.models.determinism import deterministic
from attnpipe.schema.training import TrainingSpec
from attnpipe.tasks.predict import BATCH
from attnpipe.tasks.task import Examples
from attnpipe.training.order import ShuffledItems
from attnpipe.training.registry import OPTIMIZERS
from attnpipe.training.resume import ResumeStore
from attnpipe.training.schedule import learning_rate
from attnpipe.training.seeds import Seeds
from attnpipe.training.state import TrainingState, weights_of
from attnpipe.training.steps import step_sizes, take_step

Progress = Callable[[Mapping[str, Any]], None]
"""Called with the history row of each finished epoch."""


def fit(
    task: Examples,
    module: nn.Module,
    training: TrainingSpec,
    seeds: Seeds,
    *,
    resume: ResumeStore | None = None,
    progress: Progress | None = None,
) -> tuple[TrainingState, str | None]:
    """Train a module on a task; bitwise repeatable, whether or not it was interrupted.

    Parameters
    ----------
    task
        What is trained on; epochs end with its validation split.
    module
        Trained in place.
    training
        Optimiser, schedule, what is kept.
    seeds
        Of data order and dropout.
    resume
        Where the state is kept after each epoch, and looked for at the start.
    progress
        Told of each epoch.

    Returns
    -------
    state
        The end of training: checkpoints ``untrained``, ``epoch_NNN``, ``best`` and the
        history. Losses of an epoch that diverged are None.
    divergence
        None, or what became NaN or infinite and when.
    """
    with deterministic(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.noise)
        state = _fresh_state(task, module, training, seeds)
        saved = resume.load() if resume is not None else None
        if saved is not None:
            state.restore(*saved)
        else:
            state.kept["untrained"] = weights_of(module)
            divergence = _close_epoch(task, state, training, None)
            if divergence is not None:
                return state, divergence
        while state.epoch < training.epochs:
            state.epoch += 1
            train_loss = _run_epoch(task, state, training)
            divergence = _close_epoch(task, state, training, train_loss)
            if divergence is not None:
                return state, divergence
            if progress is not None:
                progress(state.history[-1])
            if resume is not None:
                resume.save(state.arrays(), state.document())
    return state, None


def _fresh_state(
    task: Examples, module: nn.Module, training: TrainingSpec, seeds: Seeds
) -> TrainingState:
    optimizer = OPTIMIZERS.load(training.optimizer)(module.parameters(), training)
    schedule = ReduceLROnPlateau(
        optimizer, factor=training.plateau_factor, patience=training.plateau_patience
    )
    order = ShuffledItems(task.count("train"), seeds.order)
    return TrainingState(module, optimizer, schedule, order)


def _run_epoch(task: Examples, state: TrainingState, training: TrainingSpec) -> float:
    """Return the mean loss of the epoch's items; stops at the first that is not finite."""
    state.module.train()
    total = 0.0
    sizes = step_sizes(training, task.count("train"))
    first, steps = (state.epoch - 1) * len(sizes), training.epochs * len(sizes)
    for step, size in enumerate(sizes, first):
        if training.schedule == "cosine":
            for group in state.optimizer.param_groups:
                group["lr"] = learning_rate(training, step, steps)
        items = state.order.take(size)
        total += take_step(task, state.module, state.optimizer, training, items) * size
        if not math.isfinite(total):
            break
    return total / sum(sizes)


def _close_epoch(
    task: Examples, state: TrainingState, training: TrainingSpec, train_loss: float | None
) -> str | None:
    """Validate, note and keep; return what diverged, if anything did."""
    diverged = train_loss is not None and not math.isfinite(train_loss)
    items = _validation_items(task, training)
    validation = math.nan if diverged else _mean_loss(task, state.module, items)
    fine = math.isfinite(validation)
    per_epoch = training.windows_per_epoch or task.count("train")
    state.history.append(
        {
            "epoch": state.epoch,
            "windows_seen": state.epoch * per_epoch,
            "train_loss": train_loss if fine else None,
            "validation_loss": validation if fine else None,
            "learning_rate": float(state.optimizer.param_groups[0]["lr"]) if state.epoch else None,
        }
    )
    if not fine:
        what = "training" if diverged else "validation"
        return f"the {what} loss became NaN or infinite in epoch {state.epoch}"
    if state.epoch > 0:
        state.schedule.step(validation)  # a cosine sets the rate anew at every step
        _keep(state, training, validation)
    return None


def _keep(state: TrainingState, training: TrainingSpec, validation: float) -> None:
    if state.epoch % training.capture_every == 0 or state.epoch == training.epochs:
        state.kept[f"epoch_{state.epoch:03d}"] = weights_of(state.module)
    if state.best_loss is None or validation < state.best_loss:
        state.best_loss, state.best_epoch = validation, state.epoch
        state.kept["best"] = weights_of(state.module)


def _validation_items(task: Examples, training: TrainingSpec) -> Int64[np.ndarray, " item"]:
    """Return the validation items scored after each epoch: evenly spread, always the same."""
    count = task.count("validation")
    wanted = min(count, training.validation_windows or count)
    return np.linspace(0, count - 1, wanted).round().astype(np.int64)


def _mean_loss(task: Examples, module: nn.Module, items: Int64[np.ndarray, " item"]) -> float:
    module.eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(items), BATCH):
            batch = task.batch("validation", items[start : start + BATCH])
            losses = task.loss(module(batch.inputs), batch)
            total += losses.double().sum().item()
    return total / len(items)
