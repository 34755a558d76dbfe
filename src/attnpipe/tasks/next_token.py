"""Foretelling the next token of each sequence of a `TokenDataset`."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from attnpipe.data.tokens import TokenDataset
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tasks.task import Batch, Split

UNSCORED = -100
"""Target of a place whose next token counts in no loss."""


class NextTokenTask:
    """Mean cross-entropy, in nats, over the places of a sequence whose next token can be known."""

    def __init__(self, dataset: TokenDataset) -> None:
        self.dataset = dataset

    def count(self, split: Split) -> int:
        """Return the number of sequences of a split."""
        return len(self.dataset.splits[split])

    def batch(self, split: Split, items: Int64[np.ndarray, " item"]) -> Batch:
        """Return tokens ``[item, token]`` and the token after each, or `UNSCORED`."""
        return self._sequences(self.dataset.splits[split][items])

    def probe(self, samples: Int64[np.ndarray, " sample"]) -> Batch:
        """Return sequences of the probe set."""
        return self._sequences(self.dataset.probe[samples])

    def _sequences(self, which: Int64[np.ndarray, " item"]) -> Batch:
        tokens = self.dataset.tokens[which].astype(np.int64)
        targets = np.where(self.dataset.scored[which], tokens[:, 1:], UNSCORED)
        return Batch(torch.from_numpy(tokens[:, :-1]), torch.from_numpy(targets))

    def loss(
        self, outputs: Float[Tensor, "item token word"], batch: Batch
    ) -> Float[Tensor, " item"]:
        """Return the loss of each sequence, in nats per scored token."""
        losses = cross_entropy(
            outputs.transpose(1, 2), batch.targets, ignore_index=UNSCORED, reduction="none"
        )
        means: Tensor = losses.sum(1) / (batch.targets != UNSCORED).sum(1)
        return means

    def trivial(self, split: Split) -> Mapping[str, Float[np.ndarray, " item"]]:
        """Return the loss of equal chances for all tokens, ln(vocabulary) nats."""
        nats = float(np.log(self.dataset.vocabulary))
        return {"equal_chances": np.full(self.count(split), nats)}

    def scores(self, split: Split, outputs: Float32[np.ndarray, "item token word"]) -> pl.DataFrame:
        """Return the `EVALUATION` table of the test split, losses in nats per token."""
        batch = self.batch(split, np.arange(self.count(split)))
        targets = batch.targets.numpy()
        right = (outputs.argmax(-1) == targets).sum(1) / (targets != UNSCORED).sum(1)
        names = [f"sequence {i}" for i in range(len(targets))]
        return EVALUATION.frame(
            {
                "item": np.arange(len(targets)),
                "sequence": names,
                "unit": names,
                "target": [None] * len(targets),
                "prediction": [None] * len(targets),
                "correct": right,
                "loss": self.loss(torch.from_numpy(outputs).double(), batch).numpy(),
                "trivial_loss": self.trivial(split)["equal_chances"],
            }
        )
