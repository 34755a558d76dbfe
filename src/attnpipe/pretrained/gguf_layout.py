"""What a GGUF file announces, compared with its size: the library believes every length.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.pretrained.gguf_metadata import CURE

VERSIONS = (2, 3)
MAX_AXES = 4
STRING, ARRAY = 8, 9
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Type of a value → its bytes."""


def check_layout(path: Path) -> None:
    """Walk over the metadata of a file and the list of its tensors.

    Raises
    ------
    UserError
        It is no little-endian GGUF file of a known version, or something that it announces
        reaches beyond its end.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _Walk(path, data).whole()
    except FileNotFoundError:
        raise UserError(f"'{path}' is missing; give a GGUF file") from None
    except (OSError, ValueError) as error:  # an empty file has no map
        raise UserError(f"'{path}' is no whole GGUF file ({error}); {CURE}") from None


@dataclass
class _Walk:
    """Where one is in a file; every step is checked against its end."""

    path: Path
    data: mmap.mmap
    at: int = 0

    def whole(self) -> None:
        magic, version = self._take(4), self._number("<I")
        if magic != b"GGUF" or version not in VERSIONS:
            raise self._fault(f"it begins with {magic!r} and version {version}")
        tensors, pairs = self._number("<Q"), self._number("<Q")
        for _ in range(pairs):
            self._text()
            self._value(self._number("<I"))
        for _ in range(tensors):
            self._text()
            axes = self._number("<I")
            if axes > MAX_AXES:
                raise self._fault(f"a tensor has {axes} axes")
            numbers = math.prod(self._number("<Q") for _ in range(axes))
            if not 0 < numbers <= 8 * len(self.data):  # no format takes less than a bit
                raise self._fault(f"a tensor announces {numbers} numbers")
            self._skip(4 + 8)  # number format, place

    def _value(self, kind: int) -> None:
        if kind == STRING:
            self._text()
        elif kind == ARRAY:
            item, count = self._number("<I"), self._number("<Q")
            if item == STRING:
                for _ in range(count):
                    self._text()
            else:
                self._skip(count * self._width(item))
        else:
            self._skip(self._width(kind))

    def _width(self, kind: int) -> int:
        if kind not in WIDTHS:
            raise self._fault(f"a value is of type {kind}")
        return WIDTHS[kind]

    def _text(self) -> None:
        self._skip(self._number("<Q"))

    def _number(self, kind: str) -> int:
        (value,) = struct.unpack(kind, self._take(struct.calcsize(kind)))
        return int(value)

    def _take(self, size: int) -> bytes:
        begin = self.at
        self._skip(size)
        return self.data[begin : self.at]

    def _skip(self, size: int) -> None:
        if size > len(self.data) - self.at:
            raise self._fault(f"byte {self.at} announces {size} more, {len(self.data)} are there")
        self.at += size

    def _fault(self, what: str) -> UserError:
        return UserError(f"'{self.path}' is no whole GGUF file ({what}); {CURE}")
