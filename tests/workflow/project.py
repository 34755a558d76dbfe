"""A small copy of the project in which a finished study can be edited and planned again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from benchmarks.scaling.copied import copy_project

STUDY = """\
# @package _global_
defaults:
  - /data: csv
  - /model@models.mlp: mlp_last
  - /model@models.base: lstm_small
  - /model@models.pool: lstm_medium_additive
  - override /figure: two
  - _self_

name: tiny
title: A tiny study
seeds: [1, 2]
data:
  path: series.csv
  features: [a, b]
  target: a
  increment: true
  window: 12
  lead: 2
  probe_samples: 8
  unit_hours: 0.01
models:
  mlp: {hidden: [4]}
  base: {hidden: 4, layers: 1}
  pool: {hidden: 4, layers: 1, baseline: base, label: Pool, attention: {size: 3}, arms: []}
training:
  epochs: 2
  windows_per_epoch: 64
  validation_windows: 32
  batch_size: 32
analysis:
  metrics: {top_k: [2], recent_k: [2, 5]}
  contrast: {accuracy_threshold: 0.5}
"""

FIGURES = """\
representative_seed: null
style: {}
show: {entropy: {color: null}, epoch_heatmaps: {}, forest: {}}
"""

TIMEOUT = 300


def series(rows: int = 1500) -> str:
    """Return a CSV of a damped wave and a related column."""
    rng = np.random.default_rng(0)
    t = np.arange(rows)
    a = np.sin(t / 5) + 0.1 * rng.standard_normal(rows)
    b = np.cos(t / 5) + 0.1 * rng.standard_normal(rows)
    return "a,b\n" + "".join(f"{x:.5f},{y:.5f}\n" for x, y in zip(a, b, strict=True))


class Project:
    """A copy of the project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.extra_path: list[str] = []

    @classmethod
    def create(cls, folder: Path) -> "Project":
        copy_project(folder)
        (folder / "config" / "study" / "tiny.yaml").write_text(STUDY)
        (folder / "config" / "figure" / "two.yaml").write_text(FIGURES)
        (folder / "series.csv").write_text(series())
        return cls(folder)

    def clone(self, folder: Path) -> "Project":
        """Return a copy with the same times, so that nothing looks newer."""
        shutil.copytree(self.folder, folder)
        return Project(folder)

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([*self.extra_path, str(self.folder / "src")])
        bins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
        return keep | {"PYTHONPATH": path, "PATH": bins, "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, *arguments: str, overrides: str = "", study: str = "tiny") -> list[str]:
        config = ["--config", f"study={study}", f"overrides={overrides}"]
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, *config]

    def snakemake(
        self, *arguments: str, overrides: str = "", study: str = "tiny", timeout: int = TIMEOUT
    ):
        return subprocess.run(
            self.command(*arguments, overrides=overrides, study=study),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def run(self, *arguments: str, overrides: str = "") -> str:
        """Run the study to its end, and return what was printed."""
        done = self.snakemake(*arguments, overrides=overrides)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout + done.stderr

    def describe(self, *arguments: str):
        """Run `python -m attnpipe describe`."""
        return subprocess.run(
            [sys.executable, "-m", "attnpipe", "describe", *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def stored_bytes(self, name: str) -> int:
        """Return the size of the results of a study."""
        files = (self.folder / "results" / name).rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file())

    def plan(self, overrides: str = "") -> list[str]:
        """Return the jobs of a dry run, e.g. `train pool 1`, sorted."""
        done = self.snakemake("--dry-run", overrides=overrides)
        assert done.returncode == 0, done.stderr[-4000:]
        return planned_jobs(done.stdout + done.stderr)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that occurs in a file."""
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new, 1))


def planned_jobs(output: str) -> list[str]:
    """Return the jobs that a dry run lists, by their messages."""
    return sorted(job.strip() for job in re.findall(r"^Job \d+: (.*)$", output, re.MULTILINE))
