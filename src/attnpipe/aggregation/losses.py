"""Test predictions of all runs → mean losses per unit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from attnpipe.core.errors import UserError
from attnpipe.stats.duplicates import distinct
from attnpipe.tables.evaluation import EVALUATION

PerUnit = Float[np.ndarray, "seed unit"]
SHARED = ("item", "unit", "target", "trivial_loss")
"""Columns that are the same for all runs of a study, as all share the split."""


@dataclass(frozen=True)
class SharedSplit:
    """What all runs are tested on; per unit, in order of first appearance.

    Attributes
    ----------
    units
        Names.
    items
        Windows per unit: the weights with which unit means give the pooled mean.
    trivial
        Mean loss of the best trivial predictor.
    variance
        Mean squared deviation of the target from its mean over *all* items; NaN for tokens.
    own_variance
        Mean squared deviation of the target from its mean within the unit; NaN for tokens.
    numeric
        Whether targets are numbers, and not tokens.
    """

    units: pl.Series
    items: Int[np.ndarray, " unit"]
    trivial: Float[np.ndarray, " unit"]
    variance: Float[np.ndarray, " unit"]
    own_variance: Float[np.ndarray, " unit"]
    numeric: bool = True

    @property
    def shares(self) -> Float[np.ndarray, " unit"]:
        """Share of each unit in all items."""
        return np.asarray(self.items / self.items.sum())


@dataclass(frozen=True)
class ModelLosses:
    """Means per seed and unit of one model; NaN for a seed with any loss that is not finite.

    Attributes
    ----------
    seeds
        Seeds with an evaluation, ascending.
    loss
        Mean loss: squared error in the target's unit squared, or nats per token.
    mae
        Mean absolute error, in the target's unit; NaN for tokens.
    accuracy
        Share of items with an absolute error below the threshold, or of tokens foretold,
        in [0, 1].
    """

    seeds: Int[np.ndarray, " seed"]
    loss: PerUnit
    mae: PerUnit
    accuracy: PerUnit

    def at(self, seeds: Int[np.ndarray, " common"]) -> "ModelLosses":
        """Return the losses of some of the seeds."""
        rows = np.isin(self.seeds, seeds)
        return ModelLosses(self.seeds[rows], self.loss[rows], self.mae[rows], self.accuracy[rows])

    def known(self) -> Int[np.ndarray, " known"]:
        """Return the seeds whose losses are all finite."""
        return np.asarray(self.seeds[~np.isnan(self.loss).any(axis=1)])

    def independent(self) -> Int[np.ndarray, " independent"]:
        """Return the known seeds, copies of earlier ones left out: those that count."""
        seeds = self.known()
        rows = zip(seeds, self.at(seeds).loss, strict=True)
        return np.array(distinct({int(seed): row for seed, row in rows}), dtype=np.int64)


def common_seeds(
    ours: ModelLosses, theirs: ModelLosses, alike: Collection[int] = ()
) -> tuple[Int[np.ndarray, " seed"], Int[np.ndarray, " copied"]]:
    """Return the seeds on which two models can be compared, and those where one is a copy.

    Two trainings never agree in every bit of every loss: where they do, one run stands
    under two names, and says nothing of a difference. Not so at the seeds `alike`, where both
    compute the same.
    """
    seeds = np.intersect1d(ours.independent(), theirs.independent())
    copied = (ours.at(seeds).loss == theirs.at(seeds).loss).all(axis=1)
    copied &= ~np.isin(seeds, list(alike))
    return seeds[~copied], seeds[copied]


def losses_by_unit(
    evaluations: Mapping[tuple[str, int], pl.DataFrame], threshold: float
) -> tuple[SharedSplit, dict[str, ModelLosses]]:
    """Average losses over the items of each unit.

    Parameters
    ----------
    evaluations
        (model, seed) → `tables.EVALUATION`; at least one, each with at least one row.
    threshold
        Largest absolute error of an accurate forecast, exclusive, in the target's unit.

    Raises
    ------
    UserError
        If two runs were tested on different windows: their losses cannot be paired.
    """
    frames = {run: _by_item(evaluations[run]) for run in sorted(evaluations)}
    first = next(iter(frames))
    shared = frames[first].select(SHARED)
    for run, frame in frames.items():
        # column by column: a selection of each of thousands of frames costs ten times as much
        if not all(frame.get_column(name).equals(shared.get_column(name)) for name in SHARED):
            raise UserError(
                f"the test windows of run '{run[0]}/seed-{run[1]}' are not those of "
                f"'{first[0]}/seed-{first[1]}': run the extract stage of both again"
            )

    units = shared["unit"].unique(maintain_order=True)
    codes = shared["unit"].cast(pl.Enum(units)).to_physical().to_numpy()
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(units)))
    items = np.bincount(codes, minlength=len(units))

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(values[..., order], starts, axis=-1) / items)

    target = shared["target"].to_numpy()
    centred = target - target.mean()
    split = SharedSplit(
        units=units,
        items=items,
        trivial=mean(shared["trivial_loss"].to_numpy()),
        variance=mean(centred**2),
        own_variance=mean((target - mean(target)[codes]) ** 2),
        numeric=shared["target"].null_count() == 0,
    )

    losses = {}
    for model in dict.fromkeys(model for model, _ in frames):
        seeds = [seed for name, seed in frames if name == model]
        runs = [frames[model, seed] for seed in seeds]
        loss = np.stack([run["loss"].to_numpy() for run in runs])
        error = np.abs(np.stack([run["prediction"].to_numpy() for run in runs]) - target)
        right = error < threshold
        if not split.numeric:
            right = np.stack([run["correct"].to_numpy() for run in runs])
        known = np.isfinite(loss) & (np.isfinite(error) | (not split.numeric))
        broken = ~known.all(axis=1, keepdims=True)
        losses[model] = ModelLosses(
            seeds=np.array(seeds, dtype=np.int64),
            loss=mean(np.where(broken, np.nan, loss)),
            mae=mean(np.where(broken, np.nan, error)),
            accuracy=mean(np.where(broken, np.nan, right)),
        )
    return split, losses


def _by_item(frame: pl.DataFrame) -> pl.DataFrame:
    """Return an evaluation in the order of its items, as most are stored."""
    conforming = EVALUATION.conform(frame)
    return conforming if conforming["item"].is_sorted() else conforming.sort("item")
