"""Tables of texts → the texts as a model reads them."""

from dataclasses import dataclass

import polars as pl
from tokenizers import Tokenizer

from attnpipe.core.text import TokenText
from attnpipe.tables.text import TOKENS
from attnpipe.text.arithmetic import Question
from attnpipe.text.study import spans_of
from attnpipe.text.tokens import readable, tokenize


@dataclass(frozen=True)
class ModelText:
    """One text of one model.

    Attributes
    ----------
    item, question, variant
        As in table `TEXTS`.
    tokens
        The text as the model reads it, with its spans.
    missed
        Names of spans that were looked for and not found.
    asked
        The arithmetic question; None where the text asks none.
    least, most
        Tokens of an answer before which the model may not end, and after which it is cut off.
    """

    item: int
    question: int
    variant: str
    tokens: TokenText
    missed: tuple[str, ...] = ()
    asked: Question | None = None
    least: int = 0
    most: int = 0


def model_texts(
    model: str, texts: pl.DataFrame, spans: pl.DataFrame, tokenizer: Tokenizer
) -> list[ModelText]:
    """Return the texts of one model from tables `TEXTS` and `SPANS`, by item."""
    mine = spans.filter(pl.col("model") == model).partition_by("item", as_dict=True)
    none = spans.clear()
    found = []
    for row in texts.filter(pl.col("model") == model).sort("item").iter_rows(named=True):
        declared, missed = spans_of(mine.get((row["item"],), none))
        asked = None
        if row["operation"] is not None:
            asked = Question(row["first"], row["operation"], row["second"])
        tokens = tokenize(
            row["text"], declared, tokenizer, add_special_tokens=row["add_special_tokens"]
        )
        found.append(
            ModelText(
                row["item"], row["question"], row["variant"], tokens, tuple(missed), asked,
                row["min_new_tokens"] or 0, row["max_new_tokens"] or 0,
            )
        )  # fmt: skip
    return found


def token_table(model: str, texts: list[ModelText], tokenizer: Tokenizer) -> pl.DataFrame:
    """Return table `TOKENS` of one model."""
    rows: list[dict[str, object]] = []
    for text in texts:
        tokens = text.tokens
        inside: list[list[str]] = [[] for _ in tokens.ids]
        for span in tokens.spans:
            for place in span.tokens.tolist():
                inside[place].append(span.span.name)
        for place, shown in enumerate(readable(tokens, tokenizer)):
            start, end = tokens.offsets[place].tolist()
            rows.append(
                {
                    "model": model,
                    "item": text.item,
                    "position": place,
                    "id": int(tokens.ids[place]),
                    "token": shown,
                    "start": start if end > start else None,
                    "end": end if end > start else None,
                    "special": bool(tokens.special[place]),
                    "spans": "; ".join(dict.fromkeys(inside[place])),
                }
            )
    return TOKENS.frame(rows)
