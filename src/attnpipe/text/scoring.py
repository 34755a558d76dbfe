"""Whether what a model wrote answers the question."""

import re
from collections.abc import Mapping

from attnpipe.text.arithmetic import Question

_NEXT_QUESTION = re.compile(r"\n\s*(?:Q|Question)\s*:", re.IGNORECASE)
_NEXT_ANSWER = re.compile(r"\n\s*A\s*:", re.IGNORECASE)
_CUE = re.compile(r"\banswer\s*(?:is\b|:|=)", re.IGNORECASE)
_SEPARATORS = ",\u00a0\u2009\u202f"
_NUMBER = (
    rf"(?<![\w.,])(?P<sign>[-\u2212])?"
    rf"(?P<whole>[0-9]{{1,3}}(?:[{_SEPARATORS}][0-9]{{3}})+(?![0-9])|[0-9]+)"
    r"(?P<part>\.[0-9]+)?(?!\w)"
)
_SIGNS: Mapping[str, str] = {
    "plus": r"\+|plus|and",
    "minus": r"-|\u2212|minus",
    "times": r"\*|×|x|times|multiplied\s+by",
}
_EQUALS = r"\s*(?:=|equals|is|makes|gives)\s*(?:[0-9 \t()+*×\u2212-]+\s*=\s*)*"
_NO_TERM = r"(?!\s*[+*×\u2212-]\s*(?:[0-9]|\Z))"
_NO_STEP = rf"{_NO_TERM}(?!\s*=)"
_AT_THE_END = re.compile(rf"[0-9](?:[0-9.{_SEPARATORS}]*[0-9])?\Z")
_MOST_DIGITS = 18
_BETWEEN = 20
"""Most characters between two operands for them to be the question over again."""


def extract_answer(continuation: str, question: Question, *, finished: bool = True) -> int | None:
    """Return the integer that a continuation gives as its answer, None where it gives none.

    What follows a new line with ``Q:`` or ``Question:`` is another question and is cut off. The
    rest is read up to each new line with ``A:`` in turn until there is a number, so that a first
    answer outweighs later ones. In each part, what stands behind the first ``answer is`` or
    ``answer:`` is looked through first, then all of it, for

    1. the question as an equation (``15 + 27 = 42``, ``15 plus 27 is 42``; the operands of a
       sum or product in either order): the number behind it, or behind its last ``=``;
    2. the first number, where the operands said over again are no answer: both, in either order,
       on one line with neither a digit nor more than 20 characters between them
       (``add 27 to 15``).

    A number may have a sign right before it (``-`` or ``−``), and groups of three digits set off
    by commas or narrow or no-break spaces. Digits inside a word (``Q2``, ``3rd``) are no number.
    A number with decimals other than zeros, or of more than 18 digits, is no integer, so that
    the answer is None.

    Where the text was cut off, a number right before the cut may go on, and is left out. In the
    part that was cut, a first number that is one of the operands (``First, we add 18``) is no
    answer, unless it stands alone on its line or behind ``answer is``; nor is one that the text
    goes on to reckon with (``20 + 3 =``).

    Parameters
    ----------
    continuation
        What the model wrote behind the prompt.
    question
        The question it was asked.
    finished
        Whether the model ended the text; False: it was cut off.
    """
    text, *others = _NEXT_QUESTION.split(continuation, maxsplit=1)
    cut = not finished and not others
    sections = _NEXT_ANSWER.split(_AT_THE_END.sub("", text) if cut else text)
    for place, section in enumerate(sections, start=1):
        found = _found(section, question, cut=cut and place == len(sections))
        if found is not None:
            return _integer(found)
    return None


def reading(continuation: str, question: Question, *, finished: bool = True) -> str:
    """Return how a continuation is to be read, by the rule of `extract_answer`.

    Returns
    -------
    str
        ``right`` or ``wrong``. Where there is no answer: ``empty`` if nothing but white space was
        written, ``unfinished`` if the text was cut off, else ``none``.
    """
    given = extract_answer(continuation, question, finished=finished)
    if given is not None:
        return "right" if given == question.answer else "wrong"
    if not continuation.strip():
        return "empty"
    return "none" if finished else "unfinished"


def _found(section: str, question: Question, *, cut: bool) -> re.Match[str] | None:
    """Return the number that one section gives."""
    cue = _CUE.search(section)
    for part, told in ((section[cue.end() :] if cue else "", True), (section, False)):
        equation = _equation(question).search(part)
        rest = _restated(question).sub(" ", part)
        found = equation or re.search(_NUMBER + (_NO_STEP if cut else ""), rest)
        if found is not None:
            operand = cut and not equation and not told and _is_operand(found, question)
            return None if operand and not _alone(found) else found
    return None


def _is_operand(found: re.Match[str], question: Question) -> bool:
    return _integer(found) in (question.first, question.second)


def _alone(found: re.Match[str]) -> bool:
    """Whether there is neither a word nor another number on the same line."""
    before = found.string[: found.start()].rpartition("\n")[2]
    after = found.string[found.end() :].partition("\n")[0]
    return not re.search(r"\w", before + after)


def _equation(question: Question) -> re.Pattern[str]:
    """Match the question, an equals sign or word, and a number."""
    first, second = str(question.first), str(question.second)
    orders = [(first, second)]
    if question.operation != "minus":
        orders.append((second, first))
    sign = rf"\s*(?:{_SIGNS[question.operation]})\s*"
    asked = "|".join(f"{a}{sign}{b}" for a, b in orders)
    return re.compile(rf"(?<![\w.,])(?:{asked}){_EQUALS}{_NUMBER}{_NO_TERM}", re.IGNORECASE)


def _restated(question: Question) -> re.Pattern[str]:
    """Match both operands close together."""
    first, second = str(question.first), str(question.second)
    between = rf"[^\d\n]{{1,{_BETWEEN}}}"
    orders = [f"{a}{between}{b}" for a, b in ((first, second), (second, first))]
    return re.compile(rf"(?<![\w.,])(?:{'|'.join(orders)})(?!\w)(?![.,]\d)")


def _integer(found: re.Match[str]) -> int | None:
    digits = re.sub(f"[{_SEPARATORS}]", "", found["whole"])
    if len(digits) > _MOST_DIGITS or (found["part"] or "").strip(".0"):
        return None
    return -int(digits) if found["sign"] else int(digits)
