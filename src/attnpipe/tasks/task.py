"""What a model is trained and scored on; the trainer knows nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Float, Int64
from torch import Tensor

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Batch:
    """Some items of a split.

    Attributes
    ----------
    inputs
        What the model is called with; first axis item.
    targets
        What its outputs are held against; first axis item.
    """

    inputs: Any
    targets: Any


@runtime_checkable
class Examples(Protocol):
    """Items to train on. An item is what has one loss: a window, a text, an episode."""

    def count(self, split: Split) -> int:
        """Return the number of items of a split; they are numbered from 0."""

    def batch(self, split: Split, items: Int64[np.ndarray, " item"]) -> Batch:
        """Return the items, in the order given."""

    def loss(self, outputs: Tensor, batch: Batch) -> Float[Tensor, " item"]:
        """Return the differentiable loss of each item, in training units."""


@runtime_checkable
class Task(Examples, Protocol):
    """Items to train and score on."""

    def probe(self, samples: Int64[np.ndarray, " sample"]) -> Batch:
        """Return items of the probe set."""

    def trivial(self, split: Split) -> Mapping[str, Float[np.ndarray, " item"]]:
        """Return the loss of each item under each predictor that needs no model, natural units."""

    def scores(self, split: Split, outputs: Float[np.ndarray, "item ..."]) -> pl.DataFrame:
        """Return prediction, loss and trivial loss of all items of a split (`EVALUATION`)."""
