"""Texts with random attention, one by one and as a padded batch."""

from dataclasses import dataclass

import numpy as np

from attnpipe.core.block import Block
from attnpipe.core.text import Span, TokenSpan, TokenText
from attnpipe.metrics.tokens.texts import ROLES, Texts

KINDS = ("causal", "full", "window")
LENGTHS = (7, 4, 7, 9, 2)


@dataclass
class Item:
    """One text: ``weights [head, token, token]``, ``support [token, token]``."""

    weights: np.ndarray
    support: np.ndarray
    text: TokenText


def make_text(ids, special=(0,), spans=()):
    """Text of the given ids; spans are (name, tokens) or (name, tokens, occurrence)."""
    ids = np.asarray(ids, np.int64)
    flags = np.zeros(len(ids), bool)
    flags[list(special)] = True
    named = tuple(
        TokenSpan(Span(name, 0, 1, *rest), np.array(tokens, np.int64))
        for name, tokens, *rest in spans
    )
    return TokenText("", ids, np.zeros((len(ids), 2), np.int64), flags, named)


def make_support(kind, length):
    lag = np.arange(length)[:, None] - np.arange(length)[None, :]
    return {
        "causal": lag >= 0,
        "full": np.ones((length, length), bool),
        "window": (lag >= 0) & (lag < 4),
    }[kind]


def make_items(kind, *, heads=3, lengths=LENGTHS, vocabulary=3, sharpness=2.0, seed=0):
    """Random rows over texts of few different tokens; the first token and the last are special."""
    rng = np.random.default_rng(seed)
    items = []
    for length in lengths:
        support = make_support(kind, length)
        weights = np.exp(sharpness * rng.standard_normal((heads, length, length))) * support
        ids = rng.integers(0, vocabulary, length)
        weights /= weights.sum(axis=-1, keepdims=True)
        items.append(Item(weights, support, make_text(ids, {0, length - 1})))
    return items


def uniform_items(kind, **options):
    """The same with uniform rows."""
    items = make_items(kind, **options)
    for item in items:
        item.weights[:] = item.support / item.support.sum(axis=-1, keepdims=True)
    return items


def starts_of(items, padding):
    """Position of each text's first token in the batch."""
    longest = max(len(item.text.ids) for item in items)
    left = padding == "left"
    return {i: (longest - len(item.text.ids)) * left for i, item in enumerate(items)}


def texts_of(items, padding="right", sinks=ROLES):
    texts = {i: item.text for i, item in enumerate(items)}
    return Texts.of(texts, sinks, starts_of(items, padding))


def batch(items, padding="right"):
    """All texts as one block; padded queries see nothing."""
    longest = max(len(item.text.ids) for item in items)
    shape = (len(items), longest, longest)
    weights = np.zeros((len(items[0].weights), *shape))
    support = np.zeros(shape, bool)
    for i, start in starts_of(items, padding).items():
        own = slice(start, start + len(items[i].text.ids))
        weights[:, i, own, own] = items[i].weights
        support[i, own, own] = items[i].support
    positions = np.arange(longest)
    return Block(weights, support, positions, positions, np.arange(len(items)))


def one(weights, support=None, ids=None, special=()):
    """One text of one batch: block and texts; by default all keys that have weight are seen."""
    weights = np.asarray(weights, np.float64)
    weights = weights[None] if weights.ndim == 2 else weights
    length = weights.shape[-1]
    support = weights.any(axis=0) if support is None else support
    text = make_text(np.arange(length) if ids is None else ids, special)
    item = Item(weights, support, text)
    return batch([item]), texts_of([item])
