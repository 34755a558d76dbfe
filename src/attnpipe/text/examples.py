"""Worked examples that do not give the answer away."""

from collections.abc import Sequence

import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.text.arithmetic import Question


def draw_examples(
    question: Question, pool: Sequence[Question], n: int, generator: np.random.Generator
) -> tuple[Question, ...]:
    """Return `n` examples for a question; fewer with the same seed are the first of these.

    None is the question itself, none has its answer, as answer or as operand, and no two have
    the same answer.

    Parameters
    ----------
    question
        The question that follows them.
    pool
        Questions to draw from.
    n
        How many.
    generator
        Decides their order.

    Raises
    ------
    UserError
        When the pool holds too few.
    """
    chosen: list[Question] = []
    for place in generator.permutation(len(pool)).tolist():
        example = pool[place]
        if len(chosen) == n:
            break
        if example == question or question.answer in (
            example.answer,
            example.first,
            example.second,
        ):
            continue
        if all(example.answer != other.answer for other in chosen):
            chosen.append(example)
    if len(chosen) < n:
        raise UserError(
            f"only {len(chosen)} of {n} examples with answers of their own were found for "
            f"'{question.text}'; widen smallest to largest, or ask for fewer shots"
        )
    return tuple(chosen)
