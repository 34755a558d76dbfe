"""Some of the rows, of the samples, of the keys: `Rows` of the same kind."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Bool, Int

from attnpipe.metrics.rows import REASONS, Rows, to_numpy
from attnpipe.metrics.tokens.texts import Texts

Indices = Int[np.ndarray, " _"]


def aligned(rows: Rows, texts: Texts, tolerance: float) -> Iterator[Rows]:
    """Yield the rows text by text length, with token indices as positions, without padding.

    Texts of one length that start at one position come together. Keys and queries that
    are no token of the text are dropped, and so are keys that none of the rows sees.
    Where the mask lets a row see a key that is no token, and the row has more than
    `tolerance` of its mass on such keys, it is invalid: ``off_support``.

    Raises
    ------
    ValueError
        If a sample has no text.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for place, sample in enumerate(rows.samples.tolist()):
        tokens = texts[sample]
        groups.setdefault((tokens.start, len(tokens.ids)), []).append(place)
    for (start, length), members in groups.items():
        queries = np.flatnonzero(_inside(rows.query_positions - start, length))
        if not len(queries):
            continue
        found = part(rows, samples=np.array(members), queries=queries)
        inside = _inside(rows.key_positions - start, length)
        seen = _seen(found)
        # Keys that no row sees hold nothing: without them causal rows cost half.
        keys = np.flatnonzero(inside & seen if (inside & seen).any() else inside)
        found = part(found, keys=keys)
        if (seen & ~inside).any():
            found = _judged_again(found, tolerance)
        yield replace(
            found,
            query_positions=found.query_positions - start,
            key_positions=found.key_positions - start,
        )


def last_row(rows: Rows, texts: Texts) -> Rows | None:
    """Return the row of each text's last token, on the keys it sees.

    None if the rows, as `aligned` gives them, do not hold it.
    """
    last = len(texts[int(rows.samples[0])].ids) - 1
    place = np.flatnonzero(rows.query_positions == last)
    if not len(place):
        return None
    found = part(rows, queries=place)
    seen = _seen(found)
    return part(found, keys=np.flatnonzero(seen)) if seen.any() else found


def part(
    rows: Rows,
    *,
    samples: Indices | None = None,
    queries: Indices | None = None,
    keys: Indices | None = None,
) -> Rows:
    """Return the rows at some places along the axes; None: at all.

    Weights are taken as they are: whoever leaves out keys must see to the rows' sums.
    """
    support = rows.support
    return Rows(
        weights=_take(
            rows, _take(rows, _take(rows, rows.weights, samples, 1), queries, 2), keys, 3
        ),
        support=_take(
            rows,
            _take(
                rows,
                _take(rows, support, samples if support.shape[0] > 1 else None, 0),
                queries if support.shape[1] > 1 else None,
                1,
            ),
            keys,
            2,
        ),
        reason=_take(rows, _take(rows, rows.reason, samples, 1), queries, 2),
        query_positions=rows.query_positions[slice(None) if queries is None else queries],
        key_positions=rows.key_positions[slice(None) if keys is None else keys],
        samples=rows.samples[slice(None) if samples is None else samples],
    )


def _seen(rows: Rows) -> Bool[np.ndarray, " key"]:
    """Return which keys any of the rows sees."""
    seen: np.ndarray = to_numpy(rows.xp.any(rows.support, axis=(0, 1)))
    return seen


def _inside(indices: Int[np.ndarray, " place"], length: int) -> Bool[np.ndarray, " place"]:
    return (indices >= 0) & (indices < length)


def _take(rows: Rows, array: Any, index: Indices | None, axis: int) -> Any:
    """Return some of an array: a view where the indices are a run, else a copy."""
    if index is None or np.array_equal(index, np.arange(array.shape[axis])):
        return array
    if len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))):
        places = [slice(None)] * array.ndim
        places[axis] = slice(int(index[0]), int(index[0]) + len(index))
        return array[tuple(places)]
    device = array_api_compat.device(array)
    return rows.xp.take(array, rows.xp.asarray(index, device=device), axis=axis)


def _judged_again(rows: Rows, tolerance: float) -> Rows:
    """Return rows that lost keys: invalid where they lost mass, of sum 1 elsewhere."""
    xp = rows.xp
    left = xp.sum(rows.weights, axis=-1)
    fits = rows.valid & (1.0 - left <= tolerance)
    lost = xp.where(rows.valid & ~fits, 1 + REASONS.index("off_support"), rows.reason)
    seen = xp.any(rows.support, axis=-1)[None, ...]
    scale = xp.where(fits, 1.0 / xp.where(fits, left, 1.0), 0.0)
    return replace(
        rows,
        weights=rows.weights * scale[..., None],
        reason=xp.where(seen, lost, 1 + REASONS.index("padding")),
    )
