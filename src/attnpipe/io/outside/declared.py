"""What a file from outside announces, and whether it is let in."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attnpipe.core.registry import nearest
from attnpipe.io.outside.source import AGAIN, Source, shown

MAX_AXES = 8


@dataclass(frozen=True)
class Declared:
    """What a file's header says it holds, before any of it is read.

    Attributes
    ----------
    shape
        Size of each axis.
    dtype
        Type of an element.
    load
        Reads the array.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray]

    @property
    def bytes(self) -> int:
        """Memory the array takes, as stored."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def working_bytes(self) -> int:
        """Memory the array takes as stored or as float32, whichever is more."""
        return math.prod(self.shape) * max(self.dtype.itemsize, 4)


def admit(declared: Declared, source: Source) -> Declared:
    """Return `declared` if it is a non-empty array of real numbers.

    Raises
    ------
    UserError
        For Python objects, text, records, complex or extended numbers, an empty array,
        or more than 8 axes.
    """
    dtype, shape = declared.dtype, declared.shape
    if dtype.hasobject:
        raise source.fault(
            "holds Python objects (dtype object), which are never loaded",
            "save a plain float32 array",
        )
    if dtype.kind not in "fiub" or not 1 <= dtype.itemsize <= 8:
        raise source.fault(
            f"holds elements of type '{shown(str(dtype))}', which are not real numbers of at "
            "most 64 bits",
            "save a plain float32 array",
        )
    if len(shape) > MAX_AXES:
        raise source.fault(
            f"has {len(shape)} axes, more than any attention array", "save at most five axes"
        )
    if 0 in shape:
        raise source.fault(f"is empty: its shape is {shape}", AGAIN)
    return declared


def check_size(wanted: int, limit_bytes: int, source: Source) -> None:
    """Raise the error for an array above the limit."""
    if wanted > limit_bytes:
        raise source.fault(
            f"would take {_megabytes(wanted)} MB of the {_megabytes(limit_bytes)} MB left of "
            "data.max_megabytes",
            "raise that limit or store fewer samples",
        )


def _megabytes(size: int) -> str:
    """Return a size in MB to four digits, never as a power of ten."""
    return f"{size / 1e6:.0f}" if size >= 1e9 else f"{size / 1e6:.4g}"


def choose(names: list[str], array: str | None, source: Source) -> str:
    """Return the name of the array to read.

    Raises
    ------
    UserError
        When it is not there, or when none is asked for and there is not exactly one.
    """
    if not names:
        raise source.fault("holds no array", AGAIN)
    known = [shown(name) for name in names]
    if array is None:
        if len(names) > 1:
            listed = ", ".join(known[:10])
            raise source.fault(f"holds {len(names)} arrays", f"name one in data.array: {listed}")
        return names[0]
    if array not in names:
        hint = nearest(array, known[:100])
        raise source.fault(f"holds no array '{shown(array)}' (data.array)", hint)
    return array
