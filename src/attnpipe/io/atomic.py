"""Files appear whole or not at all."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attnpipe.core.errors import UserError

LEFT = re.compile(r"\..*\.tmp|\.tmp[A-Za-z0-9]{6}")
"""Names of temporary files: of `write_atomically`, and of safetensors beside each of these."""


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it to `path`.

    Raises
    ------
    UserError
        When the folder cannot be written or the disk is full; an older `path` stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.chmod(0o666 & ~_umask())  # some writers keep their files private
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write '{path}': {error.strerror or error}; free space or change permissions"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def system_errors(*wrapped: type[Exception]) -> Iterator[None]:
    """Raise an `OSError` of its own kind where a library wraps what the system says.

    Libraries written in Rust have exceptions of their own for a full disk, and end the text
    with the system's number: ``No space left on device (os error 28)``.
    """
    try:
        yield
    except wrapped as error:
        code = re.search(r"\(os error (\d+)\)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


def remove_leftovers(folder: Path) -> None:
    """Remove below a folder what killed writers left of their temporary files.

    Raises
    ------
    UserError
        When the folder cannot be written.
    """
    try:
        for path in folder.rglob(".*"):
            if LEFT.fullmatch(path.name) and not path.is_dir():
                path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot tidy '{folder}': {error.strerror or error}; change permissions"
        ) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, atomically."""
    write_atomically(path, lambda temporary: _write(temporary, content))


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 with Unix line ends, atomically."""
    write_bytes(path, content.encode("utf-8"))


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
