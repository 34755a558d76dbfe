"""Tables of models → tables of the study."""

from collections.abc import Sequence

import polars as pl


def combine(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the frames of all models as one, in the given order.

    Parameters
    ----------
    frames
        One table of each model, at least one, all with the columns of that table.
    """
    return pl.concat(frames, rechunk=True)
