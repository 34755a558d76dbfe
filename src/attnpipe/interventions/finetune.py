"""Whether a short training makes up for what replacing weights costs."""

import copy
from collections.abc import Iterator
from functools import partial

import polars as pl
from torch import nn

from attnpipe.attention.hooks import Override, overriding
from attnpipe.attention.interventions import position_mean, uniform
from attnpipe.interventions.losses import overridden, test_scores
from attnpipe.interventions.material import Material
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.schema.training import TrainingSpec
from attnpipe.tasks.task import Task
from attnpipe.training.finetune import finetune
from attnpipe.training.seeds import Seeds

SUFFIX = "_finetuned"


def finetuned(
    task: Task,
    trained: nn.Module,
    material: Material,
    spec: InterventionSpec,
    training: TrainingSpec,
    *,
    seed: int,
    epoch: int,
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Train copies of a model further while weights are replaced, and score each on the test split.

    Weights are replaced in all layers and in training as in the test; means are those of the model
    as it was. A model whose losses do not stay finite is left out.

    Parameters
    ----------
    task, trained
        The model at its best checkpoint, and what it was trained on.
    material
        Means of that model.
    spec, training
        What is asked for, and how the model was trained.
    seed, epoch
        Of the run; epoch of the checkpoint.

    Yields
    ------
    name, scores
        Name in table `interventions`; `Task.scores` of the test split.
    """
    overrides: dict[str, Override] = {
        "uniform": uniform(),
        "position_mean": position_mean(material.weights),
    }
    for name in spec.names:
        if name not in overrides:
            continue
        act, module = overrides[name], copy.deepcopy(trained)
        with overriding(act):
            fine = finetune(
                task, module, training, Seeds.of(seed), share=spec.finetune, epoch=epoch
            )
        if not fine:
            continue
        scores = test_scores(task, module, partial(overridden, act))
        if scores["loss"].is_finite().all():
            yield name + SUFFIX, scores
