"""Whether what a model wrote answers the question."""

import re

from attnpipe.text.arithmetic import Question

_NEXT_QUESTION = re.compile(r"\n\s*(?:Q|Question)\s*:", re.IGNORECASE)
_CUE = re.compile(r"\banswer\s*(?:is\b|:|=)", re.IGNORECASE)
_SEPARATORS = ",\u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<sign>(?<!\w)[-\u2212])?"
    rf"(?P<whole>[0-9]{{1,3}}(?:[{_SEPARATORS}][0-9]{{3}})+(?![0-9])|[0-9]+)"
    r"(?P<part>\.[0-9]+)?(?!\w)",
    re.ASCII,
)
_MOST_DIGITS = 18
_BETWEEN = 20
"""Most characters between two operands for them to be the question over again."""


def extract_answer(continuation: str, question: Question) -> int | None:
    """Return the integer that a continuation gives as its answer, None where it gives none.

    1. What follows a new line with ``Q:`` or ``Question:`` is another question and is cut off.
    2. If the words ``answer is`` or ``answer:`` occur, only what follows the first of them counts.
    3. Where the question is said over again, it is skipped: both operands in either order,
       on one line with neither a digit nor more than 20 characters between them
       (``15 + 27``, ``add 27 to 15``).
    4. The first number left is the answer: with an optional sign right before it (``-`` or
       ``−``) and groups of three digits set off by commas or narrow or no-break spaces. Digits
       inside a word (``Q2``, ``3rd``) are no number. A number with decimals other than zeros, or
       with more than 18 digits, is no integer, so that the answer is None.

    Parameters
    ----------
    continuation
        What the model wrote behind the prompt.
    question
        The question it was asked.
    """
    text = _NEXT_QUESTION.split(continuation, maxsplit=1)[0]
    cue = _CUE.search(text)
    if cue:
        text = text[cue.end() :]
    text = _restated(question).sub(" ", text)
    found = _NUMBER.search(text)
    return None if found is None else _integer(found)


def is_correct(continuation: str, question: Question) -> bool:
    """Whether a continuation gives the right answer, by the rule of `extract_answer`."""
    return extract_answer(continuation, question) == question.answer


def _restated(question: Question) -> re.Pattern[str]:
    first, second = str(question.first), str(question.second)
    between = rf"(?:[^\d\n]{{1,{_BETWEEN}}})"
    orders = [rf"{a}{between}{b}" for a, b in ((first, second), (second, first))]
    return re.compile(rf"(?<![\w.,])(?:{'|'.join(orders)})(?!\w)(?![.,]\d)")


def _integer(found: re.Match[str]) -> int | None:
    digits = re.sub(f"[{_SEPARATORS}]", "", found["whole"])
    if len(digits) > _MOST_DIGITS or (found["part"] or "").strip(".0"):
        return None
    return -int(digits) if found["sign"] else int(digits)
