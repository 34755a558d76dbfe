"""Runs that nobody trained: one real run of each model, varied, written and sealed as jobs do."""

from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

import attnpipe
from attnpipe.core.record import LayerRecord
from attnpipe.io.atomic import write_bytes
from attnpipe.io.parquet import read_table, write_table
from attnpipe.io.record import read_records, write_records
from attnpipe.io.seal import Inputs, write_seal
from attnpipe.pipeline.frozen import open_plan
from attnpipe.pipeline.plan import Job
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.history import HISTORY
from attnpipe.tables.interventions import INTERVENTIONS
from attnpipe.tables.metrics import METRICS
from scaling.project import NAME

STAGES = ("train", "extract", "measure", "intervene")
TABLES = {table.name: table for table in (EVALUATION, HISTORY, INTERVENTIONS, METRICS)}
NOISE = 0.1
"""How much a run's values differ from those of the real one, relative to them."""


class Real:
    """What the one real run of a model wrote, kept to be varied."""

    def __init__(self, folder: Path) -> None:
        self.bytes: dict[str, bytes] = {}
        self.tables: dict[str, pl.DataFrame] = {}
        self.records: list[LayerRecord] = []
        for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
            if path.stem in TABLES:
                self.tables[path.stem] = read_table(path, TABLES[path.stem])
            elif path.name == "attention.safetensors":
                self.records = list(read_records(path))
            else:
                self.bytes[path.name] = path.read_bytes()


def finish_runs(project: Path, real: Path) -> None:
    """Write all runs of a study in a copy of the project, from a study of one run per model.

    Parameters
    ----------
    project
        The copy, in which nothing has run yet but the preparation of data.
    real
        A finished copy with the same models' settings: `base` and `m0000` at seed 0.
    """
    if not Path(attnpipe.__file__).is_relative_to(Path(__file__).parents[2]):
        raise SystemExit(
            "seals name the source that is at hand: install this checkout (make setup)"
        )
    folder = real.resolve() / "results" / NAME / "runs"
    known = {name: Real(folder / name / "seed-0") for name in ("base", "m0000")}
    with chdir(project):  # the config and the seals name files from there, as jobs do
        for job in open_plan(Path(), {"study": NAME}, main=True).jobs():
            if job.stage in STAGES:
                _write(job, known["base" if job.wildcards["model"] == "base" else "m0000"])
                written = [Path(name) for name in job.outputs]
                read = Inputs.of(Path(name) for name in job.inputs)
                write_seal(job.seal, job.stage, job.param, written, read)
                for path in written:
                    path.touch()  # as Snakemake does when a job has ended


def _write(job: Job, real: Real) -> None:
    model, seed = job.wildcards["model"], int(job.wildcards["seed"])
    for path in map(Path, job.outputs):
        rng = np.random.default_rng([*model.encode(), seed])  # the same for all files of a run
        if path.stem in TABLES:
            frame = _varied(path.stem, real, rng)
            own = {"model": pl.lit(model), "seed": pl.lit(seed)}
            frame = frame.with_columns(**{n: v for n, v in own.items() if n in frame.columns})
            write_table(path, frame, TABLES[path.stem])
        elif path.name == "attention.safetensors":
            write_records(path, list(_mixed(real.records, rng)))
        else:
            write_bytes(path, real.bytes[path.name])


def _varied(name: str, real: Real, rng: np.random.Generator) -> pl.DataFrame:
    """Return a table of a run with other values."""
    frame = real.tables[name]
    shift = _shift(real, rng)
    if name == "evaluation":
        return frame.with_columns(
            prediction=pl.col("prediction") + shift,
            loss=(pl.col("prediction") + shift - pl.col("target")) ** 2,
        )
    if name == "interventions":
        own = real.tables["evaluation"].select(
            "item", own=(pl.col("prediction") + shift - pl.col("target")) ** 2
        )
        delta = pl.col("delta") * (1 + NOISE * rng.standard_normal())
        joined = frame.join(own, on="item", how="left", maintain_order="left")
        return joined.with_columns(delta=delta, loss=pl.col("own") + delta).drop("own")
    if name == "metrics":
        factor = 1 + 0.01 * NOISE * rng.standard_normal(len(frame))
        return frame.with_columns(value=pl.col("value") * factor)
    losses = pl.col("train_loss", "validation_loss")
    return frame.with_columns(losses * (1 + NOISE * rng.random()))


def _shift(real: Real, rng: np.random.Generator) -> pl.Series:
    """Return what is added to each prediction of a run."""
    evaluation = real.tables["evaluation"]
    scale = NOISE * float((evaluation["prediction"] - evaluation["target"]).std() or 0.0)
    return pl.Series(scale * rng.standard_normal(len(evaluation)))


def _mixed(records: list[LayerRecord], rng: np.random.Generator) -> Iterator[LayerRecord]:
    """Yield records with other weights on the same support; rows stay distributions."""
    for record in records:
        weights = record.weights * np.exp(NOISE * rng.standard_normal(record.weights.shape))
        total = weights.sum(axis=-1, keepdims=True)
        yield replace(record, weights=(weights / total).astype(record.weights.dtype))
