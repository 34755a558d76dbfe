"""Texts built from named pieces: where each one stands is known, nobody has to search."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from attnpipe.core.text import Span


@dataclass(frozen=True)
class Composed:
    """A text and its named pieces.

    Attributes
    ----------
    text
        The characters.
    spans
        The pieces as they stand in the text, outer before inner; those of one name are
        numbered.
    """

    text: str
    spans: tuple[Span, ...] = ()

    def named(self, name: str) -> list[str]:
        """Return the characters of every span of this name, in the order of the text."""
        return [self.text[span.start : span.end] for span in self.spans if span.name == name]


class Composer:
    """Adds piece after piece.

    Examples
    --------
    >>> part = Composer().add(None, "What is ").add("operand_1", "15").add(None, "?").done()
    >>> whole = Composer().add("instruction", "Think.").add(None, " ").add("question", part).done()
    >>> whole.named("question"), whole.named("operand_1")
    (['What is 15?'], ['15'])
    """

    def __init__(self) -> None:
        self._text = ""
        self._spans: list[Span] = []

    def add(self, name: str | None, piece: str | Composed) -> "Composer":
        """Append a piece under a name, or without; the spans inside a composed one come along."""
        part = piece if isinstance(piece, Composed) else Composed(piece)
        start = len(self._text)
        self._text += part.text
        if name is not None:
            self._spans.append(Span(name, start, len(self._text)))
        self._spans += shifted(part.spans, start)
        return self

    def add_core(self, name: str, piece: str) -> "Composer":
        r"""Append a piece of which only the part without white space at its ends bears the name.

        So the newline of ``"\nAnswer:"`` does not count as the cue. A blank piece gets no name.
        """
        core = piece.strip()
        if not core:
            return self.add(None, piece)
        before, after = piece.split(core, 1)
        return self.add(None, before).add(name, core).add(None, after)

    def done(self) -> Composed:
        """Return the text so far."""
        return Composed(self._text, in_order(self._spans))


def shifted(spans: Iterable[Span], by: int) -> list[Span]:
    """Return spans of a text that now begins `by` characters later."""
    return [replace(span, start=span.start + by, end=span.end + by) for span in spans]


def in_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Sort spans as they stand in the text, outer before inner; number those of one name."""
    seen: Counter[str] = Counter()
    ordered = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        ordered.append(replace(span, occurrence=seen[span.name]))
        seen[span.name] += 1
    return tuple(ordered)
