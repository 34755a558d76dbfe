"""Tokens as labels: one line of printable characters each."""

from dataclasses import dataclass

import polars as pl

from attnpipe.figures.selection import Tables

BLANK = "␣"
"""Stands for a token without a visible character."""


@dataclass(frozen=True)
class TokenLine:
    """The tokens of one text.

    Attributes
    ----------
    labels
        Readable form of each token.
    sinks
        Whether each is special, or the first of its text.
    special
        Whether the tokenizer added each.
    first_spans
        Names of the spans that the first token belongs to.
    """

    labels: tuple[str, ...]
    sinks: tuple[bool, ...]
    special: tuple[bool, ...]
    first_spans: tuple[str, ...]


def readable(token: str) -> str:
    """Return a token without control characters and line breaks."""
    text = "".join(c if c.isprintable() and c != " " else "·" for c in token)
    return text or BLANK


def shown_texts(tables: Tables, model: str) -> dict[str, int]:
    """Return variant → its text that is shown token by token.

    That is the text of the map, where the table of maps names it; else that of the first
    question.
    """
    own = pl.col("model") == model
    texts = tables["answers"].filter(own).sort("question", "item")
    maps = tables["maps"].filter(own) if "maps" in tables else texts.clear()
    if maps.height:
        texts = texts.filter(pl.col("item").is_in(maps["item"].unique().implode()))
    first = texts.group_by("variant", maintain_order=True).agg(pl.col("item").first())
    return dict(first.iter_rows())


def token_line(tables: Tables, model: str, item: int) -> TokenLine:
    """Return the tokens of one text in their order."""
    frame = tables["tokens"].filter((pl.col("model") == model) & (pl.col("item") == item))
    frame = frame.sort("position")
    special = [bool(s) for s in frame["special"]]
    spans = frame["spans"].fill_null("").to_list()
    return TokenLine(
        labels=tuple(readable(t or "") for t in frame["token"]),
        sinks=tuple(s or k == 0 for k, s in enumerate(special)),
        special=tuple(special),
        first_spans=tuple(s for s in spans[0].split("; ") if s) if spans else (),
    )
