"""What of a head's last row is position and what content, over the questions of a variant."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from attnpipe.aggregation.text.run import StoredAttention
from attnpipe.aggregation.text.sinks import Keys, sinks_by_condition
from attnpipe.core.block import Block
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.metrics.profile import ProfileSums, Split
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.sinks import without
from attnpipe.schema.analysis import MetricsSpec

COLUMNS = ("position_information", "content_information", "content_share")


def last_row_splits(
    checkpoints: Sequence[str],
    items: pl.DataFrame,
    attention: StoredAttention,
    options: MetricsSpec,
    sinks: Mapping[int, Keys],
    found: FoundSinks,
) -> pl.DataFrame:
    """Return the split of the divergence from uniform of every head's last row.

    For a variant whose texts have the same number of tokens: KL(row ‖ uniform) averaged over
    questions is [ln n − H(p̄)] + [H(p̄) − mean H], p̄ the mean row: what the position alone
    says, and the information that questions carry about keys (see `metrics.profile`).

    Parameters
    ----------
    checkpoints
        What to read.
    items
        As of `items.items_of`.
    attention
        Last rows.
    options
        Tolerance of rows.
    sinks
        As of `sinks.sink_keys`.
    found
        Sinks that the weights show.

    Returns
    -------
    DataFrame
        ``checkpoint``, ``variant``, ``condition``, ``layer``, ``head`` and `COLUMNS`, null
        where undefined; no rows for variants of uneven texts or a single one.
    """
    frames = [pl.DataFrame(schema=_SCHEMA)]
    alike = items.filter(pl.col("even") & (pl.col("texts") > 1))
    for checkpoint in checkpoints:
        for (variant,), own in alike.group_by("variant", maintain_order=True):
            rows = np.stack([attention.last(checkpoint, item) for item in own["item"]])
            gone_of = sinks_by_condition(checkpoint, list(own["item"]), rows.shape[1], sinks, found)
            for condition, gone in gone_of.items():
                for layer in range(rows.shape[1]):
                    split = _split(rows[:, layer], gone[:, layer], options)
                    frames.append(_frame(checkpoint, str(variant), condition, layer, split))
    return pl.concat(frames)


def _split(rows: np.ndarray, removed: np.ndarray, options: MetricsSpec) -> Split:
    """Return the split of rows ``[question, head, key]`` off the keys ``[question, key]``.

    Stored weights are 0 where a key is masked, by a window for instance, and nowhere else.
    """
    questions, _, keys = rows.shape
    fold = ProfileSums(options)
    block = Block(
        rows.swapaxes(0, 1)[:, :, None, :],
        np.asarray((rows != 0).any(axis=1)[:, None]),
        np.array([keys - 1]),
        np.arange(keys),
        np.arange(questions),
    )
    fold.add(without(Rows.from_block(block, options.row_tolerance), removed))
    return fold.split(options.row_tolerance)


def _frame(
    checkpoint: str, variant: str, condition: str | None, layer: int, found: Split
) -> pl.DataFrame:
    values = dict(zip(COLUMNS, (found.position, found.content, found.share), strict=True))
    return pl.DataFrame({"head": np.arange(len(found.content)), **values}).select(
        pl.lit(checkpoint).alias("checkpoint"),
        pl.lit(variant).alias("variant"),
        pl.lit(condition, pl.String).alias("condition"),
        pl.lit(layer, pl.Int64).alias("layer"),
        pl.col("head").cast(pl.Int64),
        *(pl.col(name).fill_nan(None) for name in COLUMNS),
    )


_SCHEMA: dict[str, pl.DataType] = {
    "checkpoint": pl.String(),
    "variant": pl.String(),
    "condition": pl.String(),
    "layer": pl.Int64(),
    "head": pl.Int64(),
    **dict.fromkeys(COLUMNS, pl.Float64()),
}
