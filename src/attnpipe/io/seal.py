"""Seals: what a job wrote, so that anything else in its place is noticed.

A seal ``.<job>.seal.json`` lies beside the outputs of a job. It holds the job's param
(config and source fingerprint) and the size, mtime and SHA-256 of each output, and the
SHA-256 of each input that was itself sealed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Mark:
    """What identifies the bytes of one file."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Seal:
    """What one job wrote, from what."""

    rule: str
    param: str
    outputs: Mapping[str, Mark]
    inputs: Mapping[str, str]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_path(output: Path, job: str) -> Path:
    """Return where the seal of `job` lies that wrote `output`."""
    return output.parent / f".{job}.seal.json"


def write_seal(
    job: str, rule: str, param: str, outputs: Sequence[Path], inputs: Iterable[Path] = ()
) -> None:
    """Seal the outputs of a job; all of them lie in one folder."""
    marks = {path.name: mark(path) for path in outputs}
    folder = outputs[0].parent
    document = {
        "schema": SCHEMA_VERSION,
        "rule": rule,
        "param": json.loads(param),
        "outputs": {name: vars(m) for name, m in sorted(marks.items())},
        "inputs": {str(path): sealed_digest(path) or sha256(path) for path in sorted(inputs)},
    }
    write_text(seal_path(folder / "_", job), json.dumps(document, indent=1, sort_keys=True) + "\n")


def mark(path: Path) -> Mark:
    """Return the mark of a file as it is now."""
    stat = path.stat()
    return Mark(stat.st_size, stat.st_mtime_ns, sha256(path))


def read_seal(path: Path) -> Seal | None:
    """Return the seal stored at `path`, or None where there is no readable one."""
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return Seal(
            document["rule"],
            json.dumps(document["param"], sort_keys=True, separators=(",", ":")),
            {name: Mark(**m) for name, m in document["outputs"].items()},
            document["inputs"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_intact(path: Path, expected: Mark) -> bool:
    """Tell whether a file still holds the bytes of its mark (hashed only if it was touched)."""
    try:
        stat = path.stat()
    except OSError:
        return False
    if stat.st_size != expected.size:
        return False
    return stat.st_mtime_ns == expected.mtime_ns or sha256(path) == expected.sha256


def _marks(folder: Path) -> Mapping[str, Mark]:
    seals = (read_seal(path) for path in sorted(folder.glob(".*.seal.json")))
    return {name: m for seal in seals if seal for name, m in seal.outputs.items()}


def sealed_digest(path: Path) -> str | None:
    """Return the SHA-256 that the seal of a file's producer states, if there is one."""
    m = _marks(path.parent).get(path.name)
    return m.sha256 if m else None


def verify(path: Path) -> None:
    """Raise unless `path` holds exactly the bytes that its producer sealed.

    Raises
    ------
    UserError
        When the file is missing, has no seal, or was changed since.
    """
    if not path.is_file():
        raise UserError(f"'{path}' is missing; run snakemake again to make it")
    digest = sealed_digest(path)
    if digest is None:
        raise UserError(f"'{path}' was not written by a finished job; delete it and run again")
    if sha256(path) != digest:
        raise UserError(
            f"'{path}' is not what its job wrote (checksum differs); run snakemake again: "
            "the job that makes it will run anew"
        )
