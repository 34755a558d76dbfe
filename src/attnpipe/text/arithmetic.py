"""Questions whose answers are known."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import add, mul, sub

import numpy as np

from attnpipe.schema.text import PromptsData
from attnpipe.text import names
from attnpipe.text.compose import Composed, Composer

OPERATIONS: Mapping[str, Callable[[int, int], int]] = {"plus": add, "minus": sub, "times": mul}
POOL = 4096
"""Candidates that are drawn at most; a fixed number, so that asking for more questions keeps
the first ones."""


@dataclass(frozen=True)
class Question:
    """A question of two operands.

    Attributes
    ----------
    first, second
        The operands.
    operation
        ``plus``, ``minus`` or ``times``.
    wording
        How it reads: ``{first}``, ``{operation}`` and ``{second}``, each once.
    """

    first: int
    operation: str
    second: int
    wording: str = "What is {first} {operation} {second}?"

    @property
    def answer(self) -> int:
        """The right answer."""
        return OPERATIONS[self.operation](self.first, self.second)

    @property
    def composed(self) -> Composed:
        """Its text with the spans ``operand_1``, ``operator`` and ``operand_2``."""
        pieces = {
            "{first}": (names.OPERAND_1, str(self.first)),
            "{operation}": (names.OPERATOR, self.operation),
            "{second}": (names.OPERAND_2, str(self.second)),
        }
        composer = Composer()
        for part in re.split(r"(\{(?:first|operation|second)\})", self.wording):
            composer.add(*pieces.get(part, (None, part)))
        return composer.done()

    @property
    def text(self) -> str:
        """Its characters."""
        return self.composed.text


def at_most(spec: PromptsData) -> int:
    """Return how many candidates there can be at most, before any are drawn."""
    width = spec.largest - spec.smallest + 1
    pairs = width**2
    allowed = width * (width + 1) // 2  # of differences: the first operand is no smaller
    below = "minus" in spec.operations and not spec.negative
    return min(POOL, len(spec.operations) * pairs - below * (pairs - allowed))


def candidates(spec: PromptsData, generator: np.random.Generator) -> list[Question]:
    """Return up to `POOL` distinct questions in random order.

    All triples of first operand, operation and second operand are equally likely; questions
    whose answers may not be asked for are left out afterwards.
    """
    width = spec.largest - spec.smallest + 1
    total = len(spec.operations) * width**2
    drawn = generator.choice(total, size=min(POOL, total), replace=False)
    questions = []
    for number in drawn.tolist():
        operation, pair = divmod(number, width**2)
        first, second = divmod(pair, width)
        question = Question(
            first=spec.smallest + first,
            operation=spec.operations[operation],
            second=spec.smallest + second,
            wording=spec.question,
        )
        if spec.negative or question.answer >= 0:
            questions.append(question)
    return questions
