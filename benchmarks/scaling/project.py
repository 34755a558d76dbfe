"""A copy of the project with a study of many small runs."""

import os
import sys
from pathlib import Path

import numpy as np

from scaling.copied import copy_project

NAME = "scale"
ROWS = 1500

STUDY = """\
# @package _global_
defaults:
  - /data: csv
  - /model@models.base: lstm_small
{choices}
  - _self_

name: {name}
title: Many small runs
seeds: [{seeds}]
data:
  path: series.csv
  features: [a, b]
  target: a
  increment: true
  window: 8
  lead: 2
  probe_samples: 4
  unit_hours: 0.01
models:
  base: {{hidden: 4, layers: 1}}
{models}
training:
  epochs: 1
  windows_per_epoch: 32
  validation_windows: 32
  batch_size: 32
intervention:
  names: [output_mean, uniform]
analysis:
  metrics: {{top_k: [2], recent_k: [2]}}
  contrast: {{accuracy_threshold: 0.5}}
"""
MODEL = (
    "{{hidden: 4, layers: 1, baseline: base, label: {name}, attention: {{size: 3}}, arms: [], "
    "dropout: {dropout}}}"
)
"""Models that compute the same are refused; of one layer, dropout tells them apart at no cost."""


def model_names(models: int) -> list[str]:
    """Return the names of the study's models."""
    return [f"m{number:04d}" for number in range(models)]


def _model(name: str, number: int) -> str:
    return MODEL.format(name=name, dropout=f"{number / 100_000:.5f}")


def study(models: int, seeds: int) -> str:
    """Return the config of a study: so many models with attention and a baseline, so many seeds."""
    names = model_names(models)
    return STUDY.format(
        name=NAME,
        choices="\n".join(f"  - /model@models.{n}: lstm_medium_additive" for n in names),
        seeds=", ".join(map(str, range(seeds))),
        models="\n".join(f"  {name}: {_model(name, k)}" for k, name in enumerate(names)),
    )


def series() -> str:
    """Return a CSV of a damped wave and a related column."""
    rng = np.random.default_rng(0)
    t = np.arange(ROWS)
    a = np.sin(t / 5) + 0.1 * rng.standard_normal(ROWS)
    b = np.cos(t / 5) + 0.1 * rng.standard_normal(ROWS)
    return "a,b\n" + "".join(f"{x:.5f},{y:.5f}\n" for x, y in zip(a, b, strict=True))


def create(folder: Path, models: int, seeds: int) -> None:
    """Copy the project's parts to a new folder and add the study."""
    copy_project(folder)
    (folder / "config" / "study" / f"{NAME}.yaml").write_text(study(models, seeds))
    (folder / "series.csv").write_text(series())


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which the copy's own source is imported."""
    bins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": str(folder / "src"), "PATH": bins}
