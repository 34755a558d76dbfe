"""Mass on declared tokens: sinks, and every named span of a text."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from attnpipe.core.text import TokenSpan
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.incoming import Received


@dataclass(frozen=True)
class Mass:
    """Attention of one sample's rows to some of its tokens, per head.

    Attributes
    ----------
    n_tokens
        How many tokens they are, visible or not.
    mass
        Mean over rows of the weights on them, in [0, 1]; NaN without rows.
    chance
        The same for uniform attention; for a single row, visible tokens over n.
    """

    n_tokens: int
    mass: Float[np.ndarray, " head"]
    chance: Float[np.ndarray, " head"]

    @property
    def per_token(self) -> Float[np.ndarray, " head"]:
        """Mass over the number of tokens; NaN without tokens."""
        return divide(self.mass, np.asarray(float(self.n_tokens)))

    @property
    def relative(self) -> Float[np.ndarray, " head"]:
        """Mass over chance: 1 for uniform attention, whatever the length; NaN if never visible."""
        return divide(self.mass, self.chance)


@dataclass(frozen=True)
class SpanMass:
    """Attention to a named span.

    Attributes
    ----------
    name
        Of the span.
    occurrence
        Which of several of this name; None: all together, each token counted once.
    n_matches
        How many spans it stands for.
    on
        The attention.
    """

    name: str
    occurrence: int | None
    n_matches: int
    on: Mass


def mass_on(received: Received, tokens: Int[np.ndarray, " chosen"]) -> Mass:
    """Return the attention to some tokens, given by index; an index given twice counts once."""
    chosen = np.unique(tokens)
    found = np.isin(received.keys, chosen)
    return Mass(
        n_tokens=len(chosen),
        mass=divide(received.mass[:, found].sum(axis=1), received.rows),
        chance=divide(received.exposure[:, found].sum(axis=1), received.rows),
    )


def span_masses(received: Received, spans: Iterable[TokenSpan]) -> list[SpanMass]:
    """Return the attention to every span, and after a name's spans that to all of them.

    Parameters
    ----------
    received
        Of the rows wanted: of a view on all rows, or on the last.
    spans
        Spans of the sample's text. Names come in their first order.
    """
    by_name: dict[str, list[TokenSpan]] = {}
    for span in spans:
        by_name.setdefault(span.span.name, []).append(span)
    found: list[tuple[str, int | None, int, np.ndarray]] = []
    for name, own in by_name.items():
        found += [(name, span.span.occurrence, 1, span.tokens) for span in own]
        found.append((name, None, len(own), np.concatenate([span.tokens for span in own])))
    last = max((int(tokens.max(initial=-1)) for *_, tokens in found), default=-1)
    inside = np.zeros((len(found), max(last, int(received.keys.max(initial=-1))) + 1))
    for row, (*_, tokens) in zip(inside, found, strict=True):
        row[tokens] = 1.0
    # One product for all spans: there are dozens of them, for every text and layer.
    seen, rows = inside[:, received.keys].T, received.rows[:, None]
    mass, chance = divide(received.mass @ seen, rows), divide(received.exposure @ seen, rows)
    return [
        SpanMass(name, which, matches, Mass(int(inside[k].sum()), mass[:, k], chance[:, k]))
        for k, (name, which, matches, _) in enumerate(found)
    ]
