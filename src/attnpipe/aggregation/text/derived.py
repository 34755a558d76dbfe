"""Spans made of others: all examples' answers, the operands, the tokens in between."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from attnpipe.aggregation.text.names import INTERMEDIATE, SHARED, SINKS_REMOVED, UNIONS
from attnpipe.aggregation.text.run import StoredAttention
from attnpipe.aggregation.text.shared import SharedTokens, found_in_any
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.metrics.reduce import divide, mean_of_known
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.metrics.tokens.texts import declared
from attnpipe.tables.text import SEGMENTS
from attnpipe.text.names import QUESTION

Rows = Float[np.ndarray, "layer head key"]
Members = Bool[np.ndarray, "_ span key"]


def derived_segments(
    model: str,
    checkpoints: Sequence[str],
    tokens: pl.DataFrame,
    shared: Mapping[int, SharedTokens],
    attention: StoredAttention,
    sinks: Sequence[str],
    found: FoundSinks,
) -> pl.DataFrame:
    """Return rows of `tables.SEGMENTS` for spans that are made of others.

    ``operands``, ``examples_answers``, ``examples_questions``; ``intermediate``: the
    question's tokens before the text's last one; ``shared``: those that all variants of
    the question have and that are a sink in none. Masses are defined as for declared spans:
    relative to the share of visible keys, and with sinks removed p / (1 − sink) on the
    other keys. A text without such spans has no row. Without the sinks that the weights
    show there are means over heads alone, as of declared spans; ``shared`` is then also
    without the tokens that are such a sink of the layer in any variant.

    Parameters
    ----------
    model
        Name of the model.
    checkpoints
        What to read.
    tokens
        `tables.TOKENS` of the model.
    shared
        As of `shared.shared_tokens`.
    attention
        Its last rows.
    sinks
        Roles of sinks, as `metrics.tokens.texts.declared` takes them.
    found
        Sinks that the weights show.
    """
    frames = [SEGMENTS.frame()]
    common = _common_places(shared)
    questions = {item: own for own in shared.values() for item in own.items.values()}
    for (item,), text in tokens.sort("position").partition_by("item", as_dict=True).items():
        members, matches = _members(text)
        if item in common:
            members[SHARED] = np.isin(np.arange(len(text)), common[item])
            matches[SHARED] = 1
        if not members:
            continue
        chosen = np.stack(list(members.values()))[None]
        removed = declared(text["special"].to_numpy(), list(sinks))
        for checkpoint in checkpoints:
            rows = attention.last(checkpoint, int(item)).astype(np.float64)
            gone = found.with_declared(checkpoint, int(item), removed, len(rows))
            fewer = np.repeat(chosen, len(rows), axis=0)
            if SHARED in members:
                own = questions[int(item)]
                variant = next(name for name, of in own.items.items() if of == item)
                anywhere = found_in_any(own, found, checkpoint, len(rows))
                of_span = fewer[:, list(members).index(SHARED)]
                of_span[:, own.places[variant]] &= ~anywhere
            for condition, kept, spans in (
                (None, np.ones_like(removed)[None], chosen),
                (SINKS_REMOVED, ~removed[None], chosen),
                (FOUND_SINKS_REMOVED, ~gone, fewer),
            ):
                frame = _frame(rows, spans, list(members), kept, condition == FOUND_SINKS_REMOVED)
                frames.append(
                    SEGMENTS.conform(
                        frame.with_columns(
                            pl.col("span").replace_strict(matches).alias("n_matches"),
                            model=pl.lit(model),
                            checkpoint=pl.lit(checkpoint),
                            condition=pl.lit(condition, pl.String),
                            item=pl.lit(item),
                        )
                    )
                )
    return pl.concat(frames).with_columns(pl.col(pl.Float64).fill_nan(None))


def token_names(tokens: pl.DataFrame) -> list[list[str]]:
    """Return the spans that each token of a text belongs to."""
    return [names.split("; ") if names else [] for names in tokens["spans"]]


def _common_places(shared: Mapping[int, SharedTokens]) -> dict[int, Int[np.ndarray, " token"]]:
    """Return item → where the shared tokens are that are no sink."""
    return {
        item: tokens.places[variant][~tokens.sink]
        for tokens in shared.values()
        for variant, item in tokens.items.items()
    }


def _members(text: pl.DataFrame) -> tuple[dict[str, Bool[np.ndarray, " key"]], dict[str, int]]:
    """Return derived span → which tokens it has, and of how many spans it is made."""
    inside = token_names(text)
    names = {name for own in inside for name in own}
    parts = {
        union: {name for name in names if pattern.fullmatch(name)}
        for union, pattern in UNIONS.items()
    }
    if QUESTION in names:
        parts[INTERMEDIATE] = {QUESTION}
    members = {
        name: np.array([not own.isdisjoint(spans) for spans in inside])
        for name, own in parts.items()
        if own
    }
    if INTERMEDIATE in members:
        members[INTERMEDIATE][-1] = False
    return members, {name: len(own) for name, own in parts.items()}


def _frame(
    rows: Rows,
    members: Members,
    names: list[str],
    kept: Bool[np.ndarray, "_ key"],
    over_heads: bool,
) -> pl.DataFrame:
    """Return the masses of one text, layer by layer, head by head or of their mean.

    `members` and `kept` are those of each layer, or the same ones of all.
    """
    visible = (rows > 0).any(axis=1) & kept  # 0 stands for a masked key alone
    weights = rows * kept[:, None]
    left = weights.sum(axis=-1, keepdims=True)
    if not kept.all():
        weights = divide(weights, np.where(left >= LEAST_LEFT, left, np.nan))
    inside = members.swapaxes(1, 2).astype(np.float64)
    mass = weights @ inside
    if over_heads:
        mass = mean_of_known(np.moveaxis(mass, 1, -1))[:, None]
    seen = (visible[:, None] @ inside)[:, 0]
    chance = divide(seen, visible.sum(axis=-1, keepdims=True).astype(float))[:, None, :]
    layers, heads, spans = mass.shape
    length = np.broadcast_to(members.sum(axis=-1)[:, None], mass.shape)
    of_heads = np.tile(np.repeat(np.arange(heads), spans), layers)
    return pl.DataFrame(
        {
            "layer": np.repeat(np.arange(layers), heads * spans),
            "head": pl.Series([None] * mass.size, dtype=pl.Int64) if over_heads else of_heads,
            "span": names * (layers * heads),
            "n_tokens": length.ravel(),
            "mass": mass.ravel(),
            "mass_per_token": divide(mass, length.astype(np.float64)).ravel(),
            "mass_relative": divide(mass, chance).ravel(),
        }
    )
