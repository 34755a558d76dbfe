"""The last token's row without the sinks that a layer's own weights show."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.core.block import Block
from attnpipe.metrics.row_fold import RowFold
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.data_sinks import data_sinks
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.metrics.tokens.sinks import without
from attnpipe.metrics.tokens.texts import Texts

Row = Float[np.ndarray, "head key"]
Keys = Bool[np.ndarray, " key"]


def sinks_by_variant(
    incoming: Incoming, variants: Mapping[str, Collection[int]]
) -> dict[str, Int[np.ndarray, " sink"]]:
    """Return variant → positions that act as sinks in a layer, over the texts of the variant."""
    return {name: data_sinks(incoming, samples=items) for name, items in variants.items()}


def with_declared(
    found: Mapping[str, Int[np.ndarray, " sink"]],
    variants: Mapping[str, Collection[int]],
    texts: Texts,
) -> dict[int, Keys]:
    """Return item → its sinks in a layer, declared or found; positions beyond a text are none."""
    sinks = {}
    for name, items in variants.items():
        for item in items:
            sinks[item] = texts[item].sinks.copy()
            sinks[item][[place for place in found[name].tolist() if place < len(sinks[item])]] = (
                True
            )
    return sinks


def fold_last_rows(
    folds: Sequence[RowFold], rows: Mapping[int, Row], sinks: Mapping[int, Keys], tolerance: float
) -> None:
    """Show folds the stored last rows of a layer, off the sinks.

    Parameters
    ----------
    folds
        What takes them in.
    rows
        Item → weights; by `observers.WeightStore` 0 where a key is masked and nowhere else.
    sinks
        Item → the keys to take out.
    tolerance
        Of the sum of a row.
    """
    by_length: dict[int, list[int]] = {}
    for item, row in rows.items():
        by_length.setdefault(row.shape[-1], []).append(item)
    for length, items in by_length.items():
        weights = np.stack([rows[item] for item in items], axis=1)[:, :, None, :]
        block = Block(
            weights,
            np.asarray((weights != 0).any(axis=0)),
            np.array([length - 1]),
            np.arange(length),
            np.array(items),
        )
        gone = np.stack([sinks[item] for item in items])
        checked = without(Rows.from_block(block, tolerance), gone)
        for fold in folds:
            fold.add(checked)
