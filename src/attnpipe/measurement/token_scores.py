"""What heads do with tokens: scores of a layer whose probe inputs are tokens."""

from typing import Any

import numpy as np
from jaxtyping import Float

from attnpipe.core.record import Probe
from attnpipe.measurement.table import MetricTable
from attnpipe.metrics.catalogue import LOOKING_AHEAD
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.scores import SCORES, HeadScores, Score
from attnpipe.metrics.tokens.texts import Texts, Tokens
from attnpipe.schema.analysis import MetricsSpec

CAUSAL = tuple(name for name in SCORES if name not in LOOKING_AHEAD)


def fold_of(probe: Probe, options: MetricsSpec) -> HeadScores | None:
    """Return the fold for a probe of tokens; None for any other."""
    if probe.tokens is None:
        return None
    nothing = np.zeros(probe.tokens.shape[1], dtype=bool)
    texts = {i: Tokens(ids, nothing, nothing) for i, ids in enumerate(probe.tokens)}
    return HeadScores(options, Texts(texts))


def emit_scores(table: MetricTable, fold: HeadScores, halves: Any) -> None:
    """Add each score of every head with its chance level, and that of the layer's best head.

    Which head is the best is judged on half A of the probe set and its score taken from
    half B: the largest of several noisy numbers would be too large.
    """
    half = np.asarray(halves)[fold.samples]
    for name in CAUSAL:
        found = fold.score(name)
        value, chance, rows = _over(found, np.ones_like(half, dtype=bool))
        table.add(name, value, rows, 0)
        table.add(name, chance, rows, 0, condition="chance")
        judged, _, _ = _over(found, half == 0)
        value, _, rows = _over(found, half == 1)
        best = int(np.argmax(np.nan_to_num(judged, nan=-1.0)))
        table.add_layer(f"{name}_best_head", float(value[best]), int(rows[best]))


def _over(
    score: Score, samples: np.ndarray
) -> tuple[Float[np.ndarray, " head"], Float[np.ndarray, " head"], Float[np.ndarray, " head"]]:
    """Return value, chance and rows of each head over some samples, rows counting equally."""
    rows = score.rows[:, samples]
    total = rows.sum(axis=1)
    means = [
        divide(np.where(rows > 0, of[:, samples] * rows, 0.0).sum(axis=1), total)
        for of in (score.value, score.chance)
    ]
    return means[0], means[1], total
