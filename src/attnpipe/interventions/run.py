"""All interventions on one run."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from torch import nn

from attnpipe.attention.hooks import Override, on_output
from attnpipe.attention.interventions import (
    in_layers,
    last_step,
    local_window,
    permuted,
    position_mean,
    uniform,
    value_norm,
)
from attnpipe.attention.means import mean_output
from attnpipe.core.outcome import Outcome
from attnpipe.core.progress import Say, unsaid
from attnpipe.data.storage import Dataset
from attnpipe.interventions.finetune import finetuned
from attnpipe.interventions.heads import all_heads, greedy, random_orders, without
from attnpipe.interventions.losses import Acting, overridden, test_scores
from attnpipe.interventions.material import Material, gather, nothing, weights_of
from attnpipe.models.build import build_model
from attnpipe.models.determinism import deterministic
from attnpipe.models.load import load_checkpoint
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.schema.model import SavedModel, Trainable
from attnpipe.schema.training import TrainingSpec
from attnpipe.tables.interventions import INTERVENTIONS
from attnpipe.tasks.build import task_of
from attnpipe.tasks.task import Batch, Task

BY_LAYER = ("output_mean", "uniform", "position_mean", "permuted")
"""Interventions that also act on one layer at a time, where there are several."""


@dataclass(frozen=True)
class Step:
    """One evaluation of the test split: what acts, and the keys of its rows."""

    acting: Acting
    keys: Mapping[str, object]


def intervene(
    dataset: Dataset,
    model: Trainable | SavedModel,
    checkpoints: Mapping[str, Mapping[str, np.ndarray]],
    outcome: Outcome,
    spec: InterventionSpec,
    *,
    name: str,
    seed: int,
    training: TrainingSpec | None = None,
    say: Say = unsaid,
) -> pl.DataFrame:
    """Replace a run's attention in every way asked for, and score the whole test split.

    Weights of the model stay as they are (checkpoint ``best``), unless copies of it are trained
    further; attention is replaced through the one attention function, on its support. Means are
    those of training samples.

    Parameters
    ----------
    dataset
        The study's data.
    model
        The run's model, with attention.
    checkpoints, outcome
        What training left.
    spec
        What is done.
    name, seed
        Of the run.
    training
        How it was trained; needed where ``spec.finetune`` is above 0.
    say
        Is told where means are of fewer training samples than ``spec`` asks for.

    Returns
    -------
    DataFrame
        `tables.INTERVENTIONS`; empty if the run did not end well.

    Raises
    ------
    UserError
        A checkpoint's tensors do not fit the model or hold NaN or infinite values.
    """
    if outcome.outcome != "ok":
        return INTERVENTIONS.frame()
    task, run = task_of(dataset), f"{name}/seed-{seed}"
    trained, untrained = (
        build_model(model, dataset.inputs, dataset.window, seed=0) for _ in range(2)
    )
    load_checkpoint(trained, checkpoints["best"], run=run, checkpoint="best")
    load_checkpoint(untrained, checkpoints["untrained"], run=run, checkpoint="untrained")
    with deterministic():
        material = gather(task, trained, spec.mean_samples, say)
        intact = test_scores(task, trained, nothing)
        frames = [
            _scored(intact, test_scores(task, trained, step.acting), step.keys)
            for step in steps(task, trained, untrained, material, spec)
        ]
        if spec.finetune > 0:
            assert training is not None  # the job's param has it
            assert outcome.best_epoch is not None  # it ended well
            frames += [
                _scored(intact, scores, {"intervention": intervention})
                for intervention, scores in finetuned(
                    task, trained, material, spec, training, seed=seed, epoch=outcome.best_epoch
                )
            ]
    table = pl.concat([INTERVENTIONS.frame(), *frames])
    return table.with_columns(model=pl.lit(name), seed=pl.lit(seed, dtype=pl.Int64))


def _scored(intact: pl.DataFrame, scores: pl.DataFrame, keys: Mapping[str, object]) -> pl.DataFrame:
    rows = scores.select(
        "item", "unit", "loss", delta=pl.col("loss") - intact["loss"],
    )  # fmt: skip
    return INTERVENTIONS.conform(rows.with_columns(**{k: pl.lit(v) for k, v in keys.items()}))


def steps(
    task: Task, trained: nn.Module, untrained: nn.Module, material: Material, spec: InterventionSpec
) -> Iterator[Step]:
    """Yield every evaluation that the config asks for, in its order."""
    layers = list(material.heads)
    weights: dict[str, Override] = {
        "uniform": uniform(),
        "position_mean": position_mean(material.weights),
        "permuted": permuted(),
        "last_step": last_step(),
        "local_window": local_window(spec.window),
        "value_norm": value_norm(),
    }
    for name in spec.names:
        key: dict[str, object] = {"intervention": name}
        parts = [(key, layers)]
        if name in BY_LAYER and len(layers) > 1:
            parts += [(key | {"layer": layer}, [layer]) for layer in layers]
        if name in weights:
            for keys, chosen in parts:
                override = weights[name]
                act = override if "layer" not in keys else in_layers(override, chosen)
                yield Step(partial(overridden, act), keys)
        elif name == "output_mean":
            for keys, chosen in parts:
                means = {layer: material.outputs[layer] for layer in chosen}
                yield Step(partial(_replacing, means), keys)
        elif name == "untrained":
            yield Step(partial(weights_of, untrained), key)
        else:
            yield from _head_steps(name, task, trained, material, spec)


def _replacing(means: Mapping[int, object], batch: Batch) -> AbstractContextManager[object]:
    return on_output(mean_output(means))  # type: ignore[arg-type]


def _head_steps(
    name: str, task: Task, trained: nn.Module, material: Material, spec: InterventionSpec
) -> Iterator[Step]:
    heads = all_heads(material)
    if len(heads) < 2:  # the only head is the whole of attention
        return
    if name == "single_head":
        for layer, head in heads:
            keys = {"intervention": name, "layer": layer, "head": head}
            yield Step(partial(_without, material, ((layer, head),)), keys)
        return
    removals = [
        *((name, removal) for removal in greedy(task, trained, material, spec.greedy_heads)),
        *(("random_heads", removal) for removal in random_orders(material, spec.control_draws)),
    ]
    for kind, removal in removals:
        layer, head = removal.heads[-1]
        keys = {
            "intervention": kind, "layer": layer, "head": head,
            "removed": len(removal.heads), "draw": removal.draw,
        }  # fmt: skip
        yield Step(partial(_without, material, removal.heads), keys)


def _without(
    material: Material, heads: tuple[tuple[int, int], ...], batch: Batch
) -> AbstractContextManager[object]:
    return without(material, heads)
