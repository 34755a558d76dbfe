"""A file that other software wrote: how it is named, opened and judged.

Nothing in such a file is believed before it is checked, nothing in it is run, and no
memory is taken on its word alone.
"""

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from attnpipe.core.errors import UserError

CHUNK = 1 << 18
"""Bytes read at once."""
AGAIN = "export or copy it again"


def shown(text: str, length: int = 80) -> str:
    """Return foreign text fit for one line of a message: printable and short."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= length else f"{text[: length - 1]}…"


@dataclass(frozen=True)
class Source:
    """A file from outside.

    Attributes
    ----------
    path
        Where it is.
    name
        How messages call it: relative to the data folder.
    """

    path: Path
    name: str

    def fault(self, what: str, cure: str) -> UserError:
        """Return the error that names the file, the fault and the cure."""
        return UserError(f"'{shown(self.name, 200)}' {what}; {cure}")

    @contextmanager
    def open(self) -> Iterator[tuple[io.BufferedReader, int]]:
        """Give the open file and its size in bytes; only regular files are opened.

        Raises
        ------
        UserError
            When it is absent, unreadable or not a regular file (a pipe would block).
        """
        try:
            if not stat.S_ISREG(os.stat(self.path).st_mode):
                raise self.fault("is not a regular file", "give a file")
            stream = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise self.fault("does not exist", "check data.path") from None
        except PermissionError:
            raise self.fault("may not be read", "change its permissions") from None
        with stream:
            yield stream, os.fstat(stream.fileno()).st_size

    @contextmanager
    def parsing(self, what: str, cure: str = AGAIN) -> Iterator[None]:
        """Turn whatever a parser raises over bad bytes into the one readable error.

        Parsers of foreign bytes raise nearly any exception (`IndexError`, `MemoryError`,
        `struct.error`, …), so all are taken. Faults of the disk are not: they pass.
        """
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise self.fault(what, cure) from error
