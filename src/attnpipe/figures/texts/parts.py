"""The parts of a prompt: spans that lie side by side, so that their masses add up."""

import re

from attnpipe.text.names import EXAMPLES_ANSWERS

PARTS = {
    "system": "system",
    "instruction": "instruction",
    "examples_questions": "examples: questions",
    "examples_answers": "examples: answers",
    "question": "question",
    "answer_cue": "answer cue",
}
"""Span → its name in figures, in the order of the text."""
ALL_ANSWERS = EXAMPLES_ANSWERS
_EXAMPLE = re.compile(r"shot_([1-9][0-9]*)_(question|answer)")


def part_of(span: str) -> str | None:
    """Return the part that a span is or belongs to; None for those that overlap others."""
    match = _EXAMPLE.fullmatch(span)
    name = f"examples_{match[2]}s" if match else span
    return name if name in PARTS else None


def example_of(span: str) -> int | None:
    """Return which example's answer a span is, from 1; 0 for all of them; None for others."""
    match = _EXAMPLE.fullmatch(span)
    if match and match[2] == "answer":
        return int(match[1])
    return 0 if span == ALL_ANSWERS else None
