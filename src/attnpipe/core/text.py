"""A tokenised text: what metrics of tokens and spans need to know of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64


@dataclass(frozen=True)
class Span:
    """A named range of characters.

    Attributes
    ----------
    name
        What it is: ``instruction``, ``question``, ``shot_1_answer``, ``keyword: plus`` …
    start, end
        First character, and the one after the last.
    occurrence
        Zero-based: which of several spans of this name, in the order of the text.
    """

    name: str
    start: int
    end: int
    occurrence: int = 0


@dataclass(frozen=True)
class TokenSpan:
    """A span and the tokens that cover it.

    Attributes
    ----------
    span
        The range of characters.
    tokens
        int64 ``[n]``: indices of the tokens that share a character with it, ascending.
    """

    span: Span
    tokens: Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class TokenText:
    """One text as a model reads it.

    Attributes
    ----------
    text
        The characters.
    ids
        int64 ``[token]``.
    offsets
        int64 ``[token, 2]``: range of characters of each token; empty for special tokens.
    special
        bool ``[token]``: tokens that the tokenizer added (BOS, CLS, SEP, …).
    spans
        Named spans, mapped to tokens.
    """

    text: str
    ids: Int64[np.ndarray, " token"]
    offsets: Int64[np.ndarray, "token 2"]
    special: Bool[np.ndarray, " token"]
    spans: tuple[TokenSpan, ...] = ()
