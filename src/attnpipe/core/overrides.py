"""Split the text of the `overrides` key into single Hydra overrides."""

from pathlib import PurePath

from attnpipe.core.errors import UserError

QUOTES = "\"'"
_OPEN, _CLOSE = "[{(", "]})"


def split_overrides(text: str) -> list[str]:
    """Split at white space outside brackets and quotes.

    Examples
    --------
    >>> split_overrides("seeds=[0, 1] models.a.label='x y'")
    ['seeds=[0, 1]', "models.a.label='x y'"]
    """
    parts: list[str] = []
    current, depth, quote = "", 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in QUOTES:
            quote = character
        elif character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        if character.isspace() and not quote and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    current += quote  # Snakemake strips a quote at the end of a value
    if depth:
        raise UserError(f"overrides has an unclosed bracket in '{text}'; close it")
    return [part for part in [*parts, current] if part]


def shown_overrides(text: str) -> str:
    """Return overrides as a report shows them: paths say only the name of what they point at.

    A report names no place on a machine, and nothing of what jobs asked a cluster for.
    """
    parts = [
        part for part in split_overrides(text) if not part.lstrip("+~").startswith("resources")
    ]
    return " ".join(map(_without_folder, parts))


def _without_folder(override: str) -> str:
    key, _, value = override.partition("=")
    if not key.endswith("path") or "/" not in value:
        return override
    return f"{key}=…/{PurePath(value.strip(QUOTES)).name}"
