"""Which questions a prompt study asks, and the examples before each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from tokenizers import Tokenizer

from attnpipe.schema.text import PromptsData
from attnpipe.text.arithmetic import Question, candidates
from attnpipe.text.conditions import conditions
from attnpipe.text.equal import equal_token_counts, of_commonest_length
from attnpipe.text.examples import draw_examples

QUESTIONS, EXAMPLES, ORDER = range(3)
"""Streams of random numbers, so that equal seeds draw nothing in common."""


@dataclass(frozen=True)
class Chosen:
    """Questions, all of one length in tokens, and as many examples as the longest prompt needs.

    Attributes
    ----------
    questions
        In random order: the first ones of a larger choice with the same seed.
    examples
        For each question, in the order in which they are shown; also of one length.
    available
        How many questions of that length could have been asked.
    """

    questions: tuple[Question, ...]
    examples: tuple[tuple[Question, ...], ...]
    available: int


def choose(spec: PromptsData, tokenizers: Sequence[Tokenizer]) -> Chosen:
    """Return what `spec` asks for, the same for all models whose tokenizers are given.

    Each question has examples of its own, so that a finding about examples does not rest on a
    few of them.

    Raises
    ------
    UserError
        When the range of operands holds too few questions.
    """
    drawn = candidates(spec, np.random.default_rng([spec.seed, QUESTIONS]))
    alike = equal_token_counts(drawn, tokenizers, spec.questions)
    questions = alike[: spec.questions]
    needed = max(shots for _, shots in conditions(spec))
    pool = []
    if needed:
        drawn = candidates(spec, np.random.default_rng([spec.shot_seed, EXAMPLES]))
        pool = of_commonest_length(drawn, tokenizers, partial(_solved, spec))
    orders = (np.random.default_rng([spec.shot_seed, ORDER, i]) for i in range(len(questions)))
    return Chosen(
        questions=tuple(questions),
        examples=tuple(
            draw_examples(question, pool, needed, order)
            for question, order in zip(questions, orders, strict=True)
        ),
        available=len(alike),
    )


def _solved(spec: PromptsData, question: Question) -> str:
    """Return a question with its answer as it stands among the examples."""
    form = spec.example
    return f"{form.prefix}{question.text}{form.suffix}{form.gap}{question.answer}{form.end}"
