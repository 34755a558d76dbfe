"""Forecasting a number from each window of a `SequenceDataset`."""

from collections.abc import Mapping
from typing import get_args

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from attnpipe.core.errors import UserError
from attnpipe.data.dataset import SequenceDataset
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tasks.task import Batch, Split


class ForecastTask:
    """Mean squared error of the target, scaled by its mean and sd over the training windows.

    Raises
    ------
    UserError
        A window of a split holds a NaN or infinite feature or target, a split is empty,
        or the target does not vary.
    """

    def __init__(self, dataset: SequenceDataset) -> None:
        self.dataset = dataset
        if not (np.isfinite(dataset.target_scale) and dataset.target_scale > 0):
            raise UserError(
                f"the target's standard deviation over the training windows is "
                f"{dataset.target_scale}: choose a target that varies"
            )
        for split in get_args(Split):
            _check_finite(dataset, split)
        scaled = (dataset.target - dataset.target_mean) / dataset.target_scale
        self._target = scaled.astype(np.float32)

    def count(self, split: Split) -> int:
        """Return the number of windows of a split."""
        return len(self.dataset.splits[split])

    def batch(self, split: Split, items: Int64[np.ndarray, " item"]) -> Batch:
        """Return windows ``[item, step, feature]`` and scaled targets ``[item]``."""
        return self.windows(self.dataset.splits[split][items])

    def probe(self, samples: Int64[np.ndarray, " sample"]) -> Batch:
        """Return windows of the probe set."""
        return self.windows(self.dataset.probe[samples])

    def windows(self, ends: Int64[np.ndarray, " item"]) -> Batch:
        """Return the windows that end at the given rows."""
        inputs = torch.from_numpy(self.dataset.windows(ends))
        return Batch(inputs, torch.from_numpy(self._target[ends]))

    def loss(self, outputs: Float[Tensor, " item"], batch: Batch) -> Float[Tensor, " item"]:
        """Return squared errors in units of the target's variance."""
        errors: Tensor = outputs - batch.targets
        return errors**2

    def trivial(self, split: Split) -> Mapping[str, Float[np.ndarray, " item"]]:
        """Return squared errors of the dataset's trivial forecasts, target's unit squared."""
        ends = self.dataset.splits[split]
        target = self.dataset.target[ends].astype(np.float64)
        return {name: (f[ends] - target) ** 2 for name, f in self.dataset.trivial.items()}

    def scores(self, split: Split, outputs: Float32[np.ndarray, " item"]) -> pl.DataFrame:
        """Return the `EVALUATION` table of the test split, in the target's unit.

        The trivial loss is that of the trivial predictor with the lowest mean loss on the
        split itself: the hardest to beat.
        """
        if split != "test":
            raise ValueError(f"units are known for the test split, not for '{split}'")
        data = self.dataset
        target = data.target[data.splits[split]].astype(np.float64)
        prediction = outputs.astype(np.float64) * data.target_scale + data.target_mean
        trivial = min(self.trivial(split).values(), key=lambda loss: float(loss.mean()))
        return EVALUATION.frame(
            {
                "item": np.arange(len(target)),
                "sequence": np.array(data.sequence_names, dtype=object)[data.sequences].tolist(),
                "unit": np.array(data.unit_names, dtype=object)[data.units].tolist(),
                "target": target,
                "prediction": prediction,
                "correct": [None] * len(target),
                "loss": (prediction - target) ** 2,
                "trivial_loss": trivial,
            }
        )


def _check_finite(dataset: SequenceDataset, split: Split) -> None:
    ends = dataset.splits[split]
    if len(ends) == 0:
        raise UserError(f"the {split} split holds no window: use more data or shorter windows")
    borders = np.zeros(len(dataset.features) + 1, dtype=np.int64)
    np.add.at(borders, ends - dataset.window + 1, 1)
    np.add.at(borders, ends + 1, -1)
    used = borders[:-1].cumsum() > 0
    for what, bad in (
        ("feature", used & ~np.isfinite(dataset.features).all(1)),
        ("target", np.isin(np.arange(len(used)), ends) & ~np.isfinite(dataset.target)),
    ):
        if bad.any():
            raise UserError(
                f"row {int(bad.argmax())} of the {split} split has a {what} that is NaN or "
                f"infinite ({int(bad.sum())} such rows): remove or fill those rows"
            )
