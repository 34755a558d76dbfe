"""Which layers attend differently to the same question under different prompts."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from scipy.special import stdtr

from attnpipe.aggregation.text.differences import paired_rows
from attnpipe.aggregation.text.names import SINKS_REMOVED, measure_name
from attnpipe.aggregation.text.run import StoredAttention
from attnpipe.aggregation.text.shared import SharedTokens, found_in_any
from attnpipe.aggregation.text.spread import Distances, distances, shared_rows
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED
from attnpipe.stats.confidence import NAN
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.tables.text import TEXT_CONTRASTS
from attnpipe.text.names import QUESTION

VARIANTS, QUESTIONS, LAYER, OTHERS = "variants", "questions", "layer", "other_layers"
MEASURES = ("distance", "null_distance", "distance_excess", "distance_vs_others")


def sensitivity(
    checkpoints: Sequence[str],
    shared: Mapping[int, SharedTokens],
    attention: StoredAttention,
    found: FoundSinks,
) -> pl.DataFrame:
    """Return how far apart variants lie, layer by layer.

    The last token's row is restricted to the tokens of the question that all variants
    share, and divided by its sum there: compared is how attention is spread over the same
    words, not how much of it the rest of the prompt takes. Distance is √(JSD/ln 2), in
    [0, 1], mean over heads, then over pairs of variants.

    Parameters
    ----------
    checkpoints
        What to read.
    shared
        As of `shared.shared_tokens`.
    attention
        Last rows.
    found
        Sinks that the weights show.

    Returns
    -------
    DataFrame
        `tables.TEXT_CONTRASTS`, family ``sensitivity``, empty for a single variant. The
        measures, each also with ``_sinks_removed`` (without tokens that are a declared sink in
        any variant) and ``_found_sinks_removed`` (and without those that the weights of the
        layer show to be one in any):

        - ``distance`` between ``variants``: not tested, as it cannot be below 0;
        - ``null_distance`` between ``questions`` of one variant, in the same way;
        - ``distance_excess``: the first minus the second;
        - ``distance_vs_others``: a ``layer`` minus the mean of the ``other_layers``.

        Pairs share questions, so what rests on them has delete-one-question jackknife
        intervals, and as its ``sd`` that of the jackknife: √n times the standard error.
    """
    frames = [TEXT_CONTRASTS.frame()]
    if len({variant for tokens in shared.values() for variant in tokens.items}) > 1:
        sink = _filled([tokens.sink[None] for tokens in shared.values()])
        for checkpoint in checkpoints:
            rows, real = shared_rows(checkpoint, shared, attention)
            layers = rows.shape[2]
            anywhere = [found_in_any(t, found, checkpoint, layers) for t in shared.values()]
            for condition, gone in (
                (None, np.zeros_like(sink)),
                (SINKS_REMOVED, sink),
                (FOUND_SINKS_REMOVED, sink | _filled(anywhere)),
            ):
                left = np.where(gone[:, :, None, :], 0.0, rows)
                apart = distances(left, real & ~gone)
                frames.append(_contrasts(checkpoint, condition, list(shared), apart))
    return pl.concat(frames)


def _contrasts(
    checkpoint: str, condition: str | None, questions: list[int], found: Distances
) -> pl.DataFrame:
    """Return the contrasts of one checkpoint with or without sinks."""
    own = found.variants[:, :-1]
    layers: list[int | None] = [*range(own.shape[1]), None]
    halves = (found.variants[:, None] + found.variants[None]).transpose(2, 0, 1) / 2
    frames = [
        paired_rows(_long("distance", VARIANTS, None, questions, layers, found.variants),
                    tested=False),
        _of_pairs("null_distance", QUESTIONS, None, layers, found.questions, tested=False),
        _of_pairs("distance_excess", VARIANTS, QUESTIONS, layers, halves - found.questions),
    ]  # fmt: skip
    if own.shape[1] > 1:
        others = (own.sum(axis=1, keepdims=True) - own) / (own.shape[1] - 1)
        against = _long("distance_vs_others", LAYER, OTHERS, questions, layers[:-1], own - others)
        frames.append(paired_rows(against))
    return pl.concat(frames).with_columns(
        family=pl.lit("sensitivity"),
        checkpoint=pl.lit(checkpoint),
        span=pl.lit(QUESTION),
        measure=pl.col("measure").replace_strict(
            {name: measure_name(name, condition) for name in MEASURES}
        ),
    )


def _long(
    measure: str,
    a: str,
    b: str | None,
    questions: list[int],
    layers: list[int | None],
    values: Float[np.ndarray, "question layer"],
) -> pl.DataFrame:
    """Return one row per question and layer."""
    return pl.DataFrame(
        {
            "layer": pl.Series(layers * len(questions), dtype=pl.Int64),
            "question": np.repeat(questions, len(layers)),
            "value": values.ravel(),
        }
    ).with_columns(
        *(pl.lit(None, pl.String).alias(name) for name in ("family", "checkpoint", "span")),
        measure=pl.lit(measure), a=pl.lit(a), b=pl.lit(b, pl.String),
    )  # fmt: skip


def _of_pairs(
    measure: str,
    a: str,
    b: str | None,
    layers: list[int | None],
    values: Float[np.ndarray, "layer question question"],
    *,
    tested: bool = True,
) -> pl.DataFrame:
    """Return means over pairs of questions."""
    rows: list[dict[str, object]] = []
    for layer, pairs in zip(layers, values, strict=True):
        estimate = pairwise_mean(pairs)
        lo, hi = estimate.interval()
        np.fill_diagonal(known := ~np.isnan(pairs), False)
        n = int(known.any(axis=1).sum())
        rows.append(
            {"layer": layer, "measure": measure, "a": a, "b": b, "n": n, "mean": estimate.value,
             "sd": float(np.sqrt(n * estimate.variance)), "lo95": lo, "hi95": hi,
             "p": _p(estimate) if tested else NAN}
        )  # fmt: skip
    return TEXT_CONTRASTS.frame(rows).with_columns(pl.col(pl.Float64).fill_nan(None))


def _p(estimate: Estimate) -> float:
    """Return the two-sided p of t = value/√variance; NaN where the variance is unknown or 0."""
    if not estimate.variance > 0:
        return NAN
    return float(2 * stdtr(estimate.df, -abs(estimate.value) / np.sqrt(estimate.variance)))


def _filled(
    flags: Sequence[Bool[np.ndarray, "layer _"]],
) -> Bool[np.ndarray, "question layer token"]:
    """Return rows of one length, filled with False."""
    most = max(own.shape[1] for own in flags)
    filled = np.zeros((len(flags), len(flags[0]), most), dtype=bool)
    for row, own in zip(filled, flags, strict=True):
        row[:, : own.shape[1]] = own
    return filled
