"""Measuring and cutting text, so that nothing overlaps whatever the labels are."""

from collections.abc import Sequence
from functools import lru_cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font, LoadFlags

ELLIPSIS = "…"
HINTING = 1.06
"""Letters are set on whole pixels, which makes small text this much wider."""


@lru_cache(maxsize=2)
def _font(bold: bool) -> FT2Font:
    properties = font_manager.FontProperties(
        family="DejaVu Sans", weight="bold" if bold else "normal"
    )
    font = FT2Font(font_manager.findfont(properties))  # matplotlib's own one changes its size
    font.set_size(100.0, 72)
    return font


@lru_cache(maxsize=4096)
def _advance(character: str, bold: bool) -> float:
    font = _font(bold)
    if font.get_char_index(ord(character)) == 0:
        return 1.0  # drawn as a box, or wider than Latin letters
    glyph = font.load_char(ord(character), flags=LoadFlags.NO_HINTING)
    return float(glyph.linearHoriAdvance) / 65536 / 100


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of one line of text in inches; `size` in points."""
    return sum(_advance(c, bold) for c in text) * size / 72 * HINTING


def shorten(text: str, inches: float, size: float, *, bold: bool = False) -> str:
    """Cut the middle out of a text that is wider than `inches`: both ends stay readable."""
    if width(text, size, bold=bold) <= inches:
        return text
    for keep in range(len(text) - 1, 0, -1):
        head, tail = (keep + 1) // 2, keep // 2
        cut = text[:head].rstrip() + ELLIPSIS + (text[-tail:].lstrip() if tail else "")
        if width(cut, size, bold=bold) <= inches:
            return cut
    return ELLIPSIS


def wrap(
    text: str, inches: float, size: float, *, lines: int | None = None, bold: bool = False
) -> list[str]:
    """Break a text at spaces into lines no wider than `inches`; the last one is cut."""
    done: list[str] = []
    current = ""
    words = text.split()
    for place, word in enumerate(words):
        longer = f"{current} {word}".strip()
        if not current or width(longer, size, bold=bold) <= inches:
            current = longer
        elif lines is not None and len(done) == lines - 1:
            current = " ".join([current, *words[place:]])
            break
        else:
            done.append(shorten(current, inches, size, bold=bold))
            current = word
    return [*done, shorten(current, inches, size, bold=bold)] if current else done


def widest(texts: Sequence[str], size: float) -> float:
    """Return the width of the widest text in inches, 0 for none."""
    return max((width(t, size) for t in texts), default=0.0)
