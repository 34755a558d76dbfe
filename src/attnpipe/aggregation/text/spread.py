"""How far apart rows on shared tokens lie: between prompts, and between questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from attnpipe.aggregation.text.run import StoredAttention
from attnpipe.aggregation.text.shared import SharedTokens
from attnpipe.metrics.reduce import divide, mean_of_known
from attnpipe.metrics.rows import plogp
from attnpipe.metrics.tokens.distance import row_distance

NEIGHBOURS = 16
"""So many questions on either side are compared with each; all of them for up to 33."""

Rows = Float[np.ndarray, "variant question layer head token"]
Real = Bool[np.ndarray, "question _ token"]
Index = int | slice | tuple[slice, np.ndarray]


@dataclass(frozen=True)
class Distances:
    """Mean distances over heads; the last layer stands for the mean over all.

    Attributes
    ----------
    variants
        Between prompts of the same question, mean over pairs of variants.
    questions
        Between questions in the same variant, mean over variants; NaN where two were not
        compared: too far apart in number, or of different length.
    """

    variants: Float[np.ndarray, "question layer"]
    questions: Float[np.ndarray, "layer question question"]


def shared_rows(
    checkpoint: str, shared: Mapping[int, SharedTokens], attention: StoredAttention
) -> tuple[Rows, Real]:
    """Return the last token's weights on shared tokens, and which of these are no filling.

    Shorter questions are filled with zeros, which no divergence sees. Variants that a
    question lacks are NaN.
    """
    variants = list(dict.fromkeys(name for tokens in shared.values() for name in tokens.items))
    most = max(len(tokens.sink) for tokens in shared.values())
    rows: Rows | None = None
    real = np.zeros((len(shared), 1, most), dtype=bool)
    for place, tokens in enumerate(shared.values()):
        real[place, 0, : len(tokens.sink)] = True
        for variant, item in tokens.items.items():
            last = attention.last(checkpoint, item)
            if rows is None:
                rows = np.full((len(variants), len(shared), *last.shape[:2], most), np.nan)
            own = rows[variants.index(variant), place]
            own[:] = 0.0
            own[..., : len(tokens.sink)] = last[..., tokens.places[variant]]
    assert rows is not None  # every question has a text
    return rows, real


def distances(rows: Rows, real: Real) -> Distances:
    """Return √(JSD/ln 2) between rows that are divided by their sums.

    Parameters
    ----------
    rows
        Weights on the same tokens; rows with NaN, or without mass there, count for nothing.
    real
        Which tokens each question has, in each layer or in all alike.
    """
    total = rows.sum(axis=-1, keepdims=True)
    p = np.nan_to_num(divide(rows, total), nan=0.0)
    known = total[..., 0] > 0
    entropy = plogp(np, p)

    def far(a: Index, b: Index) -> Float[np.ndarray, "... layer"]:
        distance = row_distance(np, p[a], p[b], entropy[a], entropy[b])
        return mean_of_known(np.where(known[a] & known[b], distance, np.nan))

    pairs = [far(a, b) for a, b in combinations(range(len(rows)), 2)]
    variants = mean_of_known(np.stack(pairs, axis=-1))

    count, layers = variants.shape
    questions = np.full((layers, count, count), np.nan)
    for shift in range(1, min(NEIGHBOURS, count // 2) + 1):
        other = np.roll(np.arange(count), -shift)
        found = far(slice(None), (slice(None), other))
        mean = mean_of_known(np.moveaxis(found, 0, -1))
        mean = np.where((real != real[other]).any(axis=-1), np.nan, mean)
        questions[:, np.arange(count), other] = questions[:, other, np.arange(count)] = mean.T
    return Distances(
        np.column_stack([variants, variants.mean(axis=1)]),
        np.concatenate([questions, questions.mean(axis=0, keepdims=True)]),
    )
