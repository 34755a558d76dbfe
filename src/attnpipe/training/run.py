"""Training of one run: one model at one seed."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import nn

from attnpipe.core.failing import reason_of_failure
from attnpipe.core.outcome import Outcome
from attnpipe.data.storage import Dataset
from attnpipe.models.build import build_model
from attnpipe.models.determinism import deterministic
from attnpipe.schema.model import SavedModel, Trainable
from attnpipe.schema.training import TrainingSpec
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.history import HISTORY
from attnpipe.tasks.build import task_of
from attnpipe.tasks.predict import predict
from attnpipe.tasks.shuffled_labels import ShuffledLabels
from attnpipe.tasks.task import Task
from attnpipe.training.fit import Progress, fit
from attnpipe.training.resume import ResumeStore
from attnpipe.training.seeds import Seeds
from attnpipe.training.state import TrainingState


@dataclass(frozen=True)
class TrainedRun:
    """What a run leaves behind.

    Attributes
    ----------
    checkpoints
        ``untrained``, ``epoch_NNN`` in order, ``best`` → tensor name → float32 array.
    history
        Table `HISTORY`.
    evaluation
        Table `EVALUATION`: forecasts of checkpoint ``best`` for the whole test split; empty
        if the run did not end well.
    outcome
        ``ok``, ``diverged`` or ``failed``.
    """

    checkpoints: dict[str, dict[str, np.ndarray]]
    history: pl.DataFrame
    evaluation: pl.DataFrame
    outcome: Outcome


def train(
    dataset: Dataset,
    model: Trainable | SavedModel,
    training: TrainingSpec,
    seed: int,
    *,
    name: str,
    resume: ResumeStore | None = None,
    progress: Progress | None = None,
) -> TrainedRun:
    """Train a model.

    The same arguments give the same bytes on one machine; a training that is interrupted
    and called again with the same store gives the bytes of an uninterrupted one.

    Parameters
    ----------
    dataset
        What is learned; the same for all runs of a study.
    model, training
        What is trained, and how; one with `shuffled_labels` on targets of other items.
    seed
        Drives initialisation, data order, dropout and shuffled labels, and nothing else.
    name
        The model's name in tables and messages.
    resume
        Keeps the state after each epoch. Clear it once the outputs are written.
    progress
        Called with the history row of each finished epoch.

    Returns
    -------
    TrainedRun
        With outcome ``diverged``, and what was kept until then, if a loss became NaN or
        infinite; with outcome ``failed``, and nothing else, if the model's code raised.

    Raises
    ------
    UserError
        The data hold NaN or infinite values, a split is empty, or the model has no kind
        that can be trained.
    """
    try:
        return _train(dataset, model, training, seed, name, resume, progress)
    except Exception as error:  # a model is a program: it can fail in any way
        reason = reason_of_failure(error, f"model '{name}', seed {seed}")
        return TrainedRun({}, HISTORY.frame(), EVALUATION.frame(), Outcome("failed", reason))


def _train(
    dataset: Dataset,
    model: Trainable | SavedModel,
    training: TrainingSpec,
    seed: int,
    name: str,
    resume: ResumeStore | None,
    progress: Progress | None,
) -> TrainedRun:
    task = task_of(dataset)
    seeds = Seeds.of(seed)
    module = build_model(model, dataset.inputs, dataset.window, seed=seeds.initialisation)
    shuffled = getattr(model, "shuffled_labels", False)
    examples = ShuffledLabels(task, seeds.labels) if shuffled else task
    state, divergence = fit(examples, module, training, seeds, resume=resume, progress=progress)
    reason = divergence and (
        f"{divergence} (model '{name}', seed {seed}): lower training.learning_rate or set "
        "training.clip_norm"
    )
    rows = [{"model": name, "seed": seed, **row} for row in state.history]
    best = {c: w for c, w in state.kept.items() if c == "best"}
    kept = {c: w for c, w in state.kept.items() if c != "best"} | best
    return TrainedRun(
        checkpoints=kept,
        history=HISTORY.frame(rows),
        evaluation=EVALUATION.frame() if divergence else _evaluate(task, module, state),
        outcome=Outcome(
            "ok" if divergence is None else "diverged",
            reason=reason,
            parameters=sum(p.numel() for p in module.parameters() if p.requires_grad),
            best_epoch=state.best_epoch,
            checkpoints=tuple(kept),
        ),
    )


def _evaluate(task: Task, module: nn.Module, state: TrainingState) -> pl.DataFrame:
    """Return the scores of the best weights; the module keeps them."""
    best = {name: torch.from_numpy(np.array(w)) for name, w in state.kept["best"].items()}
    module.load_state_dict(best)
    with deterministic():
        return task.scores("test", predict(task, module, "test"))
