"""The tokens of texts, as far as folds need them; small enough to travel in a fold's state."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from attnpipe.core.errors import UserError
from attnpipe.core.fold import State
from attnpipe.core.registry import nearest
from attnpipe.core.text import TokenText

ROLES = ("special", "first")
"""Roles of sinks: tokens that the tokenizer added (BOS, CLS, SEP, …), and a text's first token."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text.

    Attributes
    ----------
    ids
        int64 ``[token]``.
    special
        bool ``[token]``: added by the tokenizer.
    sinks
        bool ``[token]``: declared sinks.
    start
        Position of the first token in the model's input: the padding on the left.
    """

    ids: Int64[np.ndarray, " token"]
    special: Bool[np.ndarray, " token"]
    sinks: Bool[np.ndarray, " token"]
    start: int = 0


@dataclass(frozen=True)
class Texts:
    """The tokens of texts by probe sample.

    Attributes
    ----------
    tokens
        Sample → its tokens.
    """

    tokens: Mapping[int, Tokens]

    @classmethod
    def of(
        cls,
        texts: Mapping[int, TokenText],
        sinks: Collection[str | int] = ROLES,
        starts: Mapping[int, int] | None = None,
    ) -> "Texts":
        """Return what folds need of the texts.

        Parameters
        ----------
        texts
            Sample → text.
        sinks
            What counts as a sink: roles (`ROLES`), or indices of tokens.
        starts
            Sample → position of its first token; 0 where it is not named.

        Raises
        ------
        UserError
            For a text without tokens and for an unknown role.
        """
        starts = starts or {}
        for sample, text in texts.items():
            if len(text.ids) == 0:
                raise UserError(f"text {sample} has no tokens: give it at least one")
        return cls(
            {
                sample: Tokens(
                    text.ids, text.special, declared(text.special, sinks), starts.get(sample, 0)
                )
                for sample, text in texts.items()
            }
        )

    def __getitem__(self, sample: int) -> Tokens:
        try:
            return self.tokens[sample]
        except KeyError:
            raise ValueError(f"sample {sample} has no text") from None

    def __or__(self, other: "Texts") -> "Texts":
        """Return both; a sample of both must have the same tokens."""
        if self is other:
            return self
        for sample in self.tokens.keys() & other.tokens.keys():
            mine, theirs = vars(self[sample]), vars(other[sample])
            if not all(np.array_equal(mine[name], theirs[name]) for name in mine):
                raise ValueError(f"sample {sample} stands for two different texts")
        return Texts({**self.tokens, **other.tokens})

    def state(self) -> dict[str, np.ndarray]:
        """Return all texts as arrays, ``text/<name>``."""
        samples = sorted(self.tokens)
        each = [self.tokens[sample] for sample in samples]
        return {
            "text/sample": np.array(samples, np.int64),
            "text/start": np.array([t.start for t in each], np.int64),
            "text/length": np.array([len(t.ids) for t in each], np.int64),
            "text/ids": np.concatenate([np.zeros(0, np.int64), *(t.ids for t in each)]),
            "text/special": np.concatenate([np.zeros(0, bool), *(t.special for t in each)]),
            "text/sinks": np.concatenate([np.zeros(0, bool), *(t.sinks for t in each)]),
        }

    @classmethod
    def from_state(cls, state: State) -> "Texts":
        """Return what `state` came from."""
        ends = np.cumsum(state["text/length"])
        tokens = {}
        for i, sample in enumerate(state["text/sample"].tolist()):
            own = slice(int(ends[i] - state["text/length"][i]), int(ends[i]))
            tokens[sample] = Tokens(
                ids=state["text/ids"][own].copy(),
                special=state["text/special"][own].copy(),
                sinks=state["text/sinks"][own].copy(),
                start=int(state["text/start"][i]),
            )
        return cls(tokens)


def declared(
    special: Bool[np.ndarray, " token"], sinks: Collection[str | int]
) -> Bool[np.ndarray, " token"]:
    """Return which tokens have one of the roles or indices; indices beyond the text are none."""
    found = np.zeros(len(special), bool)
    for sink in sinks:
        if sink == "special":
            found |= special
        elif sink == "first":
            found[:1] = True
        elif isinstance(sink, int):
            found[sink : sink + 1] = True
        else:
            raise UserError(
                f"unknown role of sinks '{sink}': {nearest(sink, list(ROLES))}; "
                "or give the index of a token"
            )
    return found
