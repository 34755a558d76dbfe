"""Sequences of tokens: the form in which tasks see what a language model reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Int32, Int64


@dataclass(frozen=True)
class TokenDataset:
    """Sequences of one length, each an item and a statistical unit of its own.

    Attributes
    ----------
    tokens
        ``[sequence, place]``; a model reads all places but the last.
    scored
        ``[sequence, query]``: whether the token after a place is one that could be known;
        the others count in no loss.
    vocabulary
        Number of distinct tokens; they are 0 … vocabulary − 1.
    splits
        ``train``, ``validation``, ``test`` → sequences, ascending.
    probe, halves
        Sequences of the probe set, a subset of validation, and 0/1 for half A/B.
    description
        As that of `SequenceDataset`.
    """

    kind: ClassVar[str] = "tokens"

    tokens: Int32[np.ndarray, "sequence place"]
    scored: Bool[np.ndarray, "sequence query"]
    vocabulary: int
    splits: Mapping[str, Int64[np.ndarray, " item"]]
    probe: Int64[np.ndarray, " sample"]
    halves: Int64[np.ndarray, " sample"]
    description: Mapping[str, Any]

    @property
    def inputs(self) -> int:
        """What a place can hold: one of so many tokens."""
        return self.vocabulary

    @property
    def probe_tokens(self) -> Int64[np.ndarray, "sample token"]:
        """What a model reads of the probe set."""
        return self.tokens[self.probe, :-1].astype(np.int64)

    @property
    def window(self) -> int:
        """Tokens that a model reads."""
        return int(self.tokens.shape[1]) - 1
