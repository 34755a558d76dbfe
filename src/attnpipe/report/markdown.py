"""Text that stays text in Markdown."""

import re
from urllib.parse import quote

SPECIAL = re.compile(r"([\\`*_{}\[\]()#|!~$])")
BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


class Markup(str):
    """Text that is Markdown already."""


def escape(value: object) -> str:
    """Return a value as text on one line that neither Markdown nor HTML takes for markup."""
    if isinstance(value, Markup):
        return value
    text = BREAK.sub(" ", str(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", text)


def path(value: object) -> Markup:
    """Return a name as part of a link's target."""
    return Markup(quote(str(value)))


def code(text: str) -> Markup:
    """Return code within a line, whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    return Markup(f"{fence} {BREAK.sub(' ', text)} {fence}")


def fenced(text: str, language: str = "json") -> Markup:
    """Return a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{language}\n{text}\n{fence}")
