"""Losses of shortened inputs, collected item by item."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float

from attnpipe.interventions.compression.policies import Choice
from attnpipe.tables.compression import COMPRESSION_LOSSES

PerItem = Float[np.ndarray, " item"]
SELECTION, CONFIRMATION = "selection", "confirmation"


class LossTable:
    """Rows of `COMPRESSION_LOSSES` of one run."""

    def __init__(self, model: str, seed: int) -> None:
        self._run = {"model": model, "seed": seed}
        self._frames = [COMPRESSION_LOSSES.frame()]

    def add(
        self,
        choice: Choice,
        items: Sequence[tuple[int, str, str]],
        losses: PerItem,
        intact: PerItem,
        trivial: PerItem,
        *,
        places: int,
        reindexed: bool,
        variant: str | None = None,
    ) -> None:
        """Add the losses of some items.

        Parameters
        ----------
        items
            Number, unit and split of each.
        losses, intact, trivial
            With the tokens that are kept, with all, and of a predictor that knows nothing.
        places
            Tokens that might have been removed.
        """
        numbers, units, splits = zip(*items, strict=True)
        frame = pl.DataFrame(
            {
                "item": numbers, "unit": units, "split": splits, "loss": losses,
                "delta": losses - intact, "trivial_loss": trivial,
            }
        ).with_columns(
            **{name: pl.lit(value) for name, value in self._run.items()},
            variant=pl.lit(variant, dtype=pl.String),
            policy=pl.lit(choice.policy),
            budget=pl.lit(choice.budget),
            draw=pl.lit(choice.draw, dtype=pl.Int64),
            kept=pl.lit(choice.kept.shape[1], dtype=pl.Int64),
            places=pl.lit(places, dtype=pl.Int64),
            reindexed=pl.lit(reindexed),
        )  # fmt: skip
        self._frames.append(COMPRESSION_LOSSES.conform(frame))

    def frame(self) -> pl.DataFrame:
        """Return all rows; what is not known is null."""
        return pl.concat(self._frames).with_columns(pl.col(pl.Float64).fill_nan(None))
