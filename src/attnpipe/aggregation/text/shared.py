"""The tokens of a question that all its variants have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.metrics.tokens.texts import declared
from attnpipe.text.names import QUESTION


@dataclass(frozen=True)
class SharedTokens:
    """The same tokens in several prompts.

    Attributes
    ----------
    items
        Text of each variant.
    places
        Where the tokens are in it; they come in one order in all variants.
    sink
        Whether a token is a sink in any variant.
    """

    items: dict[str, int]
    places: dict[str, Int[np.ndarray, " token"]]
    sink: Bool[np.ndarray, " token"]


@dataclass(frozen=True)
class _Asked:
    """One text's question: its tokens by the characters of the question that they cover."""

    item: int
    place_of: dict[tuple[int, int], int]
    sink: Bool[np.ndarray, " token"]


def shared_tokens(
    items: pl.DataFrame, tokens: pl.DataFrame, spans: pl.DataFrame, sinks: Sequence[str]
) -> dict[int, SharedTokens]:
    """Return question → the tokens that cover the same of its characters in every variant.

    A text's last token is left out in all variants: it is the one that attends, and its
    attention to itself is no attention to the question.

    Parameters
    ----------
    items
        As of `items.items_of`.
    tokens, spans
        `tables.TOKENS` and `tables.SPANS` of the model.
    sinks
        Roles of sinks.
    """
    ranges = spans.filter((pl.col("span") == QUESTION) & (pl.col("occurrence") == 0))
    where = {
        item: (start, end) for item, start, end in ranges.select("item", "start", "end").rows()
    }
    texts = tokens.sort("position").partition_by("item", as_dict=True)
    found = {}
    for (question,), own in items.partition_by("question", as_dict=True).items():
        asked = {
            variant: _asked(item, texts[(item,)], *where[item], sinks)
            for variant, item in own.select("variant", "item").rows()
            if item in where and (item,) in texts
        }
        if asked:
            found[int(question)] = _common(asked)
    return found


def found_in_any(
    shared: SharedTokens, found: FoundSinks, checkpoint: str, layers: int
) -> Bool[np.ndarray, "layer token"]:
    """Return which shared tokens the weights show to be a sink of a layer in any variant.

    A token that is compared must be there on both sides.
    """
    sinks = np.zeros((layers, len(shared.sink)), dtype=bool)
    for variant, item in shared.items.items():
        places = shared.places[variant]
        none = np.zeros(1 + places.max(initial=0), dtype=bool)
        sinks |= found.with_declared(checkpoint, item, none, layers)[:, places]
    return sinks


def _asked(item: int, text: pl.DataFrame, start: int, end: int, sinks: Sequence[str]) -> _Asked:
    place_of = {}
    for place, (a, b) in enumerate(text.select("start", "end").rows()[:-1]):
        if a is not None and a < end and b > start:
            place_of[max(a, start) - start, min(b, end) - start] = place
    return _Asked(item, place_of, declared(text["special"].to_numpy(), list(sinks)))


def _common(asked: dict[str, _Asked]) -> SharedTokens:
    covered = sorted(set.intersection(*(set(a.place_of) for a in asked.values())))
    places = {
        variant: np.array([a.place_of[characters] for characters in covered], dtype=np.int64)
        for variant, a in asked.items()
    }
    sink = np.zeros(len(covered), dtype=bool)
    for variant, a in asked.items():
        sink |= a.sink[places[variant]]
    return SharedTokens({variant: a.item for variant, a in asked.items()}, places, sink)
