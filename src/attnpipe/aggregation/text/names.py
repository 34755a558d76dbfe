"""What the spans and measures of a study of texts are called beyond those of the texts."""

import re

from attnpipe.text.names import EXAMPLES_ANSWERS, OPERATOR, QUESTION

PLAIN, STEPS = "plain", "cot"
"""Variants that the question of thinking step by step is about."""

PRETRAINED = "pretrained"
"""Checkpoint that counts as final."""

SINKS_REMOVED = "sinks_removed"

INTERMEDIATE = "intermediate"
"""Tokens of the question before the last token."""
SHARED = "shared"
"""Those that all variants have and that are a sink in none: a sink stands in the question of one
prompt and before it in another, and takes its mass along."""
OPERANDS = "operands"
EXAMPLES = "with examples"
"""All variants with examples together; no variant can have this name."""
ANSWERS = EXAMPLES_ANSWERS
QUESTIONS = "examples_questions"

UNIONS = {
    OPERANDS: re.compile(r"operand_[0-9]+"),
    ANSWERS: re.compile(r"shot_[0-9]+_answer"),
    QUESTIONS: re.compile(r"shot_[0-9]+_question"),
}
"""Derived span → names of the spans it joins."""

ASKED = (QUESTION, OPERANDS, OPERATOR, INTERMEDIATE, SHARED)
"""Spans that every variant has."""

MASSES = ("mass", "mass_per_token", "mass_relative")

_SHOTS = re.compile(r"_?[0-9]+_shot$")


def measure_name(measure: str, condition: str | None) -> str:
    """Return the name of a measure that tells whether sinks were removed."""
    return measure if condition is None else f"{measure}_{condition}"


def base_variant(variant: str) -> str:
    """Return the variant without its examples: ``cot_2_shot`` is ``cot``, ``2_shot`` plain."""
    return _SHOTS.sub("", variant) or PLAIN
