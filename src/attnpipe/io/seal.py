"""Seals: what a job wrote, so that anything else in its place is noticed.

A seal ``.<job>.seal.json`` lies beside the outputs of a job. It holds the job's param
(config and source fingerprint), the size, mtime and SHA-256 of each output and of each file
from outside that it read, the SHA-256 of each input that was itself sealed, and in its first
line a checksum of all that follows.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text

SCHEMA_VERSION = 3
SEAL = re.compile(r"\..*\.seal\.json")

Holds = Callable[[Path | str, os.stat_result, str], bool]
_noted: dict[str, str] = {}
"""Path → SHA-256 of what a job reads, as it noted when it began."""
REMEMBERED = 2**15
"""Seals that a process keeps in mind, of the folders that it looked at last."""
_vouched: dict[str, str] = {}
"""Name of a file → name of the seal that vouched for the last file so named."""
_FIRST = '{\n "sha256": "%s",'
_LENGTH = len(_FIRST % ("0" * 64))


@dataclass(frozen=True)
class Mark:
    """What identifies the bytes of one file."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """What a job reads, as it was when the job began.

    Attributes
    ----------
    sealed
        Path → SHA-256 that its producer stated.
    outside
        Path → mark of a file that no job made.
    """

    sealed: Mapping[str, str] = field(default_factory=dict)
    outside: Mapping[str, Mark] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "Inputs":
        """Look at the inputs of a job: who reads one finds out whether it is what was sealed.

        Raises
        ------
        UserError
            When one is missing, or has not the size that its producer sealed.
        """
        sealed, outside = {}, {}
        for path in sorted(paths):
            expected = sealed_mark(path)
            if expected is None:
                outside[str(path)] = mark(path)
            elif _size(path) == expected.size:
                sealed[str(path)] = expected.sha256
            else:
                verify(path)  # which raises, unless it was mended this moment
                sealed[str(path)] = _expected(path)
        return cls(sealed, outside)

    def check_unchanged(self) -> None:
        """Raise a `UserError` if a file from outside changed since."""
        for name, expected in self.outside.items():
            if not is_intact(Path(name), expected):
                raise UserError(f"'{name}' changed while it was read; run snakemake again")


@dataclass(frozen=True)
class Seal:
    """What one job wrote, from what.

    Attributes
    ----------
    failure
        Why the outputs are empty, where the run's own code failed at what the job asks of it.
    """

    rule: str
    param: str
    outputs: Mapping[str, Mark]
    inputs: Inputs
    failure: str | None = None


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_path(output: Path, job: str) -> Path:
    """Return where the seal of `job` lies that wrote `output`."""
    return Path(seal_file(str(output), job))


def seal_file(output: str, job: str) -> str:
    """Return the same as text: who looks at thousands of seals would mostly make paths."""
    return os.path.join(os.path.dirname(output), f".{job}.seal.json")


def write_seal(
    job: str,
    rule: str,
    param: str,
    outputs: Sequence[Path],
    inputs: Inputs | None = None,
    failure: str | None = None,
) -> None:
    """Seal the outputs of a job, which lie in one folder: no older seal vouches for any of them."""
    inputs = inputs or Inputs()
    document = {
        "schema": SCHEMA_VERSION,
        "rule": rule,
        "param": json.loads(param),
        "outputs": {path.name: vars(mark(path)) for path in outputs},
        "inputs": dict(inputs.sealed),
        "outside": {name: vars(m) for name, m in inputs.outside.items()},
        "failure": failure,
    }
    body = json.dumps(document, indent=1, sort_keys=True).removeprefix("{") + "\n"
    path = seal_path(outputs[0], job)
    write_text(path, _head(body) + body)
    _supersede(path, document["outputs"])


def _supersede(path: Path, outputs: Collection[str]) -> None:
    """Remove seals of jobs of other rules that once wrote these outputs, in the same folder."""
    names = [json.dumps(name) for name in outputs]
    for other in map(path.with_name, _seals_in(str(path.parent))):
        text = _text_of(str(other))
        if other != path and any(name in text for name in names):
            found = _remembered(text)
            if found is None or not found.outputs.keys().isdisjoint(outputs):
                other.unlink(missing_ok=True)


def _head(body: str) -> str:
    """Return the first line of a seal, which is one JSON object with what follows."""
    return _FIRST % hashlib.sha256(body.encode()).hexdigest()


def mark(path: Path) -> Mark:
    """Return the mark of a file as it is now."""
    stat = path.stat()
    return Mark(stat.st_size, stat.st_mtime_ns, sha256(path))


def read_seal(path: Path | str) -> Seal | None:
    """Return the seal stored at `path`, or None where there is no whole one."""
    try:
        with open(path, "rb") as file:
            return _parse(file.read().decode())
    except (OSError, ValueError):
        return None


def _parse(text: str) -> Seal | None:
    try:
        if text[:_LENGTH] != _head(text[_LENGTH:]):
            return None
        document: dict[str, Any] = json.loads(text)
        if document["schema"] != SCHEMA_VERSION:
            return None
        return Seal(
            document["rule"],
            json.dumps(document["param"], sort_keys=True, separators=(",", ":")),
            _marks(document["outputs"]),
            Inputs(document["inputs"], _marks(document["outside"])),
            document["failure"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _marks(named: Mapping[str, Any]) -> dict[str, Mark]:
    return {name: Mark(**m) for name, m in named.items()}


def _holds(path: Path | str, stat: os.stat_result, digest: str) -> bool:
    return sha256(path) == digest


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def is_intact(path: Path | str, expected: Mark, holds: Holds = _holds) -> bool:
    """Tell whether a file still holds the bytes of its mark (hashed only if it was touched).

    Parameters
    ----------
    path, expected
        The file and its mark.
    holds
        Tells whether a touched file, of this status, has a SHA-256.
    """
    try:
        stat = os.stat(path)
    except OSError:
        return False
    if stat.st_size != expected.size:
        return False
    return stat.st_mtime_ns == expected.mtime_ns or holds(path, stat, expected.sha256)


def producer(path: Path) -> Seal | None:
    """Return the seal that vouches for a file, if there is one."""
    folder = os.path.dirname(path) or "."
    name = json.dumps(path.name)
    for seal in _candidates(folder, path.name):
        text = _text_of(os.path.join(folder, seal))
        # a folder holds the seals of several jobs, and to parse one costs more than to read it
        if name in text and (found := _remembered(text)) and path.name in found.outputs:
            _vouched[path.name] = seal
            return found
    return None


def _candidates(folder: str, name: str) -> Iterator[str]:
    """Yield names of seals: first of the one that vouched for a file of that name elsewhere."""
    if name in _vouched:
        yield _vouched[name]
    yield from _seals_in(folder)


def _seals_in(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if SEAL.fullmatch(name))
    except OSError:
        return []


def _text_of(seal: str) -> str:
    """Return what stands in a seal, nothing where there is none."""
    try:
        stat = os.stat(seal)
        return _text(seal, stat.st_ino, stat.st_mtime_ns, stat.st_size)
    except (OSError, ValueError):
        return ""


@lru_cache(maxsize=REMEMBERED)
def _text(path: str, inode: int, mtime_ns: int, size: int) -> str:
    """Read a seal: once as long as it is the same, as it vouches for several files."""
    with open(path, "rb") as file:
        return file.read().decode()


_remembered = lru_cache(maxsize=REMEMBERED)(_parse)


def sealed_mark(path: Path) -> Mark | None:
    """Return the mark that the seal of a file's producer states, if there is one."""
    seal = producer(path)
    return seal.outputs[path.name] if seal else None


def sealed_digest(path: Path) -> str | None:
    """Return the SHA-256 that the seal of a file's producer states, if there is one."""
    if noted := _noted.get(str(path)):
        return noted
    m = sealed_mark(path)
    return m.sha256 if m else None


@contextmanager
def relying_on(inputs: Inputs) -> Iterator[None]:
    """Take what a job noted when it began for what the seals of its inputs state.

    So what a reader verifies is what the job noted, though its producer ran again meanwhile,
    and thousands of seals are read once.
    """
    _noted.update(inputs.sealed)
    try:
        yield
    finally:
        _noted.clear()


def verify(path: Path) -> None:
    """Raise unless `path` holds exactly the bytes that its producer sealed.

    Raises
    ------
    UserError
        When the file is missing, has no seal, or was changed since.
    """
    expected = _expected(path)
    if sha256(path) != expected:
        raise _changed(path)


def read_verified(path: Path) -> bytes:
    """Return the bytes of a file, which are exactly those that its producer sealed.

    Raises
    ------
    UserError
        As `verify`.
    """
    expected = _expected(path)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise _changed(path)
    return content


def _expected(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"'{path}' is missing; run snakemake again to make it")
    digest = sealed_digest(path)
    if digest is None:
        raise UserError(f"'{path}' was not written by a finished job; delete it and run again")
    return digest


def _changed(path: Path) -> UserError:
    now = sealed_mark(path)
    if now and sha256(path) == now.sha256:  # its job ran again since this one began
        return UserError(f"'{path}' changed while it was read; run snakemake again")
    with suppress(OSError):
        path.touch()  # a fault of the disk leaves the time alone, which is looked at first
    return UserError(
        f"'{path}' is not what its job wrote (checksum differs); run snakemake again: "
        "the job that makes it will run anew"
    )
