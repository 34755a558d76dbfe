"""Figures as parts of one self-contained page."""

import base64
import re
from dataclasses import dataclass

LARGEST_SVG = 400_000
"""Characters above which the page embeds the PNG instead."""
UNSAFE = re.compile(
    r"<\s*(script|foreignobject|iframe|image[^>]+href=.(?!data:))|\son\w+\s*=", re.I
)
"""Markup with no place in a picture; an `<img>` would not run it either."""


@dataclass(frozen=True)
class Picture:
    """An image that needs no other file: its data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


def picture(png: bytes, svg: str) -> Picture:
    """Return the SVG if it is small and only a picture, otherwise the PNG."""
    width, height = png_size(png)
    if svg and len(svg) <= LARGEST_SVG and not UNSAFE.search(svg):
        return Picture(_uri("image/svg+xml", svg.encode()), width, height)
    return Picture(_uri("image/png", png), width, height)


def png_size(png: bytes) -> tuple[int, int]:
    """Return width and height of a PNG from its header.

    Raises
    ------
    ValueError
        If it is no PNG.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        raise ValueError("not a PNG")
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
