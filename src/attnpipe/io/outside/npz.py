"""The npz format: npy files in a zip, of which one is read."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from attnpipe.io.outside.declared import Declared, check_size, choose
from attnpipe.io.outside.npy import MAX_HEADER, declare_npy
from attnpipe.io.outside.source import CHUNK, Source, shown

MAX_MEMBERS = 256
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
NO_ZIP = "is not a readable zip archive, which an npz must be"
REWRITE = "save it with np.savez"


class _Bounded(io.BufferedIOBase):
    """A file of which no more than a chunk can be read at once.

    `zipfile` reads a whole table of contents in one call, as long as the file says; with
    this in between, a table of more than some thousand members is an error instead.
    """

    def __init__(self, stream: io.BufferedReader, size: int) -> None:
        self._stream = stream
        self._size = size

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._size - self.tell() if size is None or size < 0 else size
        if wanted > CHUNK:
            raise zipfile.BadZipFile(f"one part has {wanted} bytes")
        return self._stream.read(max(wanted, 0))


@contextmanager
def declare_npz(source: Source, array: str | None, limit_bytes: int) -> Iterator[Declared]:
    """Give what one array of an npz announces; it can be loaded while the context lasts.

    Parameters
    ----------
    array
        Name of the array; None: the only one.
    limit_bytes
        A member that would unpack to more is refused before it is unpacked.

    Raises
    ------
    UserError
        When the file is no zip, has too many, encrypted, foreign or doubled members, or
        ones packed in a way numpy never uses; when the array is not there; when it is not
        a valid npy; when its checksum does not fit.
    """
    with source.open() as (stream, size):
        with source.parsing(NO_ZIP, REWRITE):
            archive = zipfile.ZipFile(_Bounded(stream, size))
        member = _member(archive.infolist(), array, limit_bytes, source)
        inside = Source(source.path, f"{source.name}[{shown(_key(member))}]")
        with inside.parsing("is damaged"):
            content = cast(io.BufferedIOBase, archive.open(member))
        with content:
            yield declare_npy(content, member.file_size, inside)


def _key(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _member(
    members: list[zipfile.ZipInfo], array: str | None, limit_bytes: int, source: Source
) -> zipfile.ZipInfo:
    if not members:
        raise source.fault("holds no array", REWRITE)
    if len(members) > MAX_MEMBERS:
        raise source.fault(
            f"holds {len(members)} members, more than the {MAX_MEMBERS} allowed", REWRITE
        )
    by_key: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        _check(member, source)
        if _key(member) in by_key:
            raise source.fault(f"holds '{shown(member.filename)}' twice", REWRITE)
        by_key[_key(member)] = member
    chosen = by_key[choose(list(by_key), array, source)]
    check_size(chosen.file_size - 2 * MAX_HEADER, limit_bytes, source)
    return chosen


def _check(member: zipfile.ZipInfo, source: Source) -> None:
    name = shown(member.filename)
    if member.flag_bits & ENCRYPTED:
        raise source.fault(f"holds '{name}' encrypted", "save it without a password")
    if member.compress_type not in METHODS:
        raise source.fault(
            f"holds '{name}' compressed by method {member.compress_type}",
            "save it with np.savez or np.savez_compressed",
        )
    if not member.filename.endswith(".npy"):
        raise source.fault(f"holds '{name}', which is no npy", REWRITE)
