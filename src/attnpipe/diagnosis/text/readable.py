"""Texts that models read and wrote, which anyone may have put anything into."""


def visible(text: str | None) -> str:
    """Return text in which every character shows, line breaks and blanks apart.

    Control characters, and those that turn the direction of writing, appear as their code,
    so that they can neither hide nor reorder what stands beside them.
    """
    return "".join(c if c.isprintable() or c == "\n" else _code(c) for c in text or "")


def _code(character: str) -> str:
    return "\t" if character == "\t" else f"\\u{{{ord(character):x}}}"
