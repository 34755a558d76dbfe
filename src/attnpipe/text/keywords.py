"""Every place where a keyword stands in a text, by its characters."""

import re
from collections.abc import Iterable
from typing import Literal

from attnpipe.core.errors import UserError
from attnpipe.core.text import Span
from attnpipe.text import names

Match = Literal["word", "prefix", "substring"]


def find_keywords(
    text: str, keywords: Iterable[str], match: Match = "word"
) -> dict[str, list[Span]]:
    """Return keyword → its spans, named ``keyword: <keyword>``; no span where it has no hit.

    Case is ignored, occurrences do not overlap and are counted from the left.

    Parameters
    ----------
    text
        Where to look.
    keywords
        What to look for.
    match
        ``word``: whole words and whole numbers. A letter, digit or underscore next to the
        keyword makes it part of a longer word, so that ``step`` is not found in ``steps``, nor
        ``7`` in ``27``; a decimal or thousands separator with a digit behind it makes a number
        part of a longer one (``7`` in ``7.5`` or ``1,007``); a sign does not.
        ``prefix``: a word may go on behind the keyword, so that ``math`` is found in
        ``mathematician``; numbers are whole.
        ``substring``: anywhere.

    Raises
    ------
    UserError
        When a keyword is blank.
    """
    return {
        word: [
            Span(names.keyword(word), hit.start(), hit.end(), occurrence)
            for occurrence, hit in enumerate(_pattern(word, match).finditer(text))
        ]
        for word in keywords
    }


def _pattern(word: str, match: Match) -> re.Pattern[str]:
    if not word.strip():
        raise UserError(f"keyword {word!r} is blank; write at least one letter, digit or sign")
    pattern = re.escape(word)
    if match != "substring":
        first, last = word[0], word[-1]
        if _in_word(first):
            pattern = r"(?<!\w)" + pattern
        if first.isdigit():
            pattern = r"(?<!\d[.,])" + pattern
        if last.isdigit():
            pattern += r"(?!\w)(?![.,]\d)"
        elif match == "word" and _in_word(last):
            pattern += r"(?!\w)"
    return re.compile(pattern, re.IGNORECASE)


def _in_word(character: str) -> bool:
    return re.fullmatch(r"\w", character) is not None
