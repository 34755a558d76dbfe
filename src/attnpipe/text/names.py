"""What the spans of a prompt are called."""

import re

SYSTEM = "system"
INSTRUCTION = "instruction"
QUESTION = "question"
ANSWER_CUE = "answer_cue"
OPERAND_1 = "operand_1"
OPERATOR = "operator"
OPERAND_2 = "operand_2"
OPERANDS = (OPERAND_1, OPERATOR, OPERAND_2)

EXAMPLES_ANSWERS = "examples_answers"
"""The answers of all examples together."""

_SHOT = re.compile(r"shot_([1-9][0-9]*)_(question|answer)")


def shot_question(shot: int) -> str:
    """Name the question of an example; the first one is 1."""
    return f"shot_{shot}_question"


def shot_answer(shot: int) -> str:
    """Name the answer of an example; the first one is 1."""
    return f"shot_{shot}_answer"


def is_shot_answer(name: str) -> bool:
    """Whether spans of this name are the answer of an example."""
    found = _SHOT.fullmatch(name)
    return found is not None and found[2] == "answer"


def keyword(word: str) -> str:
    """Name the spans of a keyword."""
    return f"keyword: {word}"


def is_segment(name: str) -> bool:
    """Whether spans of this name lie side by side, so that their masses may be added.

    Operands lie inside the question, and keywords anywhere: their mass is counted there too.
    """
    return name in (SYSTEM, INSTRUCTION, QUESTION, ANSWER_CUE) or bool(_SHOT.fullmatch(name))
