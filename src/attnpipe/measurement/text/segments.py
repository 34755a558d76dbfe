"""How much the last token attends to each named span of its text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int64

from attnpipe.metrics.reduce import divide, mean_of_known
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.tables.text import SEGMENTS
from attnpipe.text.reading import ModelText

Rows = Float[np.ndarray, "layer head key"]


@dataclass(frozen=True)
class Part:
    """Tokens whose mass is asked for: one occurrence of a span, or all of them."""

    name: str
    occurrence: int | None
    matches: int
    tokens: Int64[np.ndarray, " n"]


def parts(text: ModelText) -> Iterator[Part]:
    """Yield every occurrence of every span, their union, and names without a match."""
    found: dict[str, list] = {}
    for span in text.tokens.spans:
        found.setdefault(span.span.name, []).append(span)
    for name, spans in found.items():
        for span in spans:
            yield Part(name, span.span.occurrence, len(spans), span.tokens)
        together = np.unique(np.concatenate([span.tokens for span in spans]))
        yield Part(name, None, len(spans), together)
    for name in text.missed:
        yield Part(name, None, 0, np.zeros(0, dtype=np.int64))


def segments(
    model: str,
    checkpoint: str,
    text: ModelText,
    rows: Rows,
    sinks: Bool[np.ndarray, " key"],
    found: Bool[np.ndarray, "layer key"],
) -> pl.DataFrame:
    """Return rows of `SEGMENTS` of one text: per layer and head, with and without sinks.

    Without the sinks that the weights show there are means over heads alone: contrasts rest
    on these, and one row per head would make the largest table of a run half as large again.

    Mass is raw, per token of the span, and relative to its exposure: what uniform weights
    on the same visible keys would give, so that spans of any length compare and 1 is chance.

    Parameters
    ----------
    rows
        The last token's row of every layer and head; sums are 1.
    sinks
        Keys that are left out under ``sinks_removed``.
    found
        Keys of each layer that are left out under ``found_sinks_removed``.
    """
    layers, heads, _ = rows.shape
    every = {
        "layer": np.repeat(np.arange(layers), heads),
        "head": np.tile(np.arange(heads), layers),
    }
    means = {"layer": np.arange(layers), "head": pl.Series([None] * layers, dtype=pl.Int64)}
    # By `WeightStore` only a masked key has weight 0; masks are those of a layer.
    visible = np.asarray((rows > 0).any(axis=1, keepdims=True))
    frames = []
    for condition, kept in (
        (None, None),
        ("sinks_removed", ~sinks),
        (FOUND_SINKS_REMOVED, ~found[:, None, :]),
    ):
        over_heads = condition == FOUND_SINKS_REMOVED
        weights, seen = rows, visible
        if kept is not None:
            left = (rows * kept).sum(axis=-1, keepdims=True)
            seen = visible & kept
            weights = np.where(left >= LEAST_LEFT, rows * kept, np.nan) / left
        n = seen.sum(axis=-1)
        for part in parts(text):
            mass = weights[..., part.tokens].sum(axis=-1)
            mass = mean_of_known(mass)[:, None] if over_heads else mass
            chance = divide(seen[..., part.tokens].sum(axis=-1).astype(float), n.astype(float))
            length = len(part.tokens)
            some = part.matches > 0
            blank = np.full_like(mass, np.nan)
            frames.append(
                pl.DataFrame(
                    {
                        **(means if over_heads else every),
                        "mass": mass.ravel(),
                        "mass_per_token": (mass / length if some else blank).ravel(),
                        "mass_relative": (
                            divide(mass, np.broadcast_to(chance, mass.shape)) if some else blank
                        ).ravel(),
                    }
                ).with_columns(
                    condition=pl.lit(condition, pl.String),
                    span=pl.lit(part.name),
                    occurrence=pl.lit(part.occurrence, pl.Int64),
                    n_matches=pl.lit(part.matches),
                    n_tokens=pl.lit(length),
                )
            )
    if not frames:
        return SEGMENTS.frame()
    table = pl.concat(frames).with_columns(pl.col(pl.Float64).fill_nan(None))
    return SEGMENTS.conform(
        table.with_columns(
            model=pl.lit(model), checkpoint=pl.lit(checkpoint), item=pl.lit(text.item)
        )
    )


def published_keywords(
    model: str,
    checkpoint: str,
    text: ModelText,
    rows: Rows,
    words: Mapping[str, Sequence[str]],
) -> pl.DataFrame:
    """Return the mass of keywords by document 3's rule, as rows without layer and head.

    Last layer, mean over heads; a token counts when the keyword is a substring of its
    characters, whatever the case. Its table is keyed by word and token: tokens that read alike
    share one entry, the last one's, and a token has an entry for each word that it holds. So a
    7 is found in 27, a 17 counts for 7 and for 17, and a number that is split into digits is
    not found at all. ``n_matches`` is the number of entries, ``n_tokens`` that of hits before
    tokens that read alike fall together.

    Parameters
    ----------
    words
        Name of the row → words that are looked for; one that is given twice counts once.
    """
    mean = rows[-1].mean(axis=0)
    pieces = [text.tokens.text[a:b] for a, b in text.tokens.offsets.tolist()]
    found = []
    for name, wanted in words.items():
        hits = [(word, place) for word in dict.fromkeys(wanted)
                for place, piece in enumerate(pieces) if word.lower() in piece.lower()]  # fmt: skip
        entries = {(word, pieces[place]): mean[place] for word, place in hits}
        found.append(
            {"model": model, "checkpoint": checkpoint, "item": text.item, "span": name,
             "n_matches": len(entries), "n_tokens": len(hits),
             "as_published": float(sum(entries.values()))}
        )  # fmt: skip
    return SEGMENTS.frame(found)
