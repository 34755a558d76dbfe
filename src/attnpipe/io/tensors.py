"""Arrays as safetensors: named, no pickle, with one JSON document in the metadata."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import system_errors, write_atomically
from attnpipe.io.seal import verify

# One metadata key only: the library orders several at random, which would change the bytes.
KEY = "attnpipe"


def write_tensors(
    path: Path, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]
) -> None:
    """Write named arrays and a JSON-able document.

    Raises
    ------
    UserError
        When the folder cannot be written or the disk is full.
    """
    contiguous = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    metadata = {KEY: json.dumps(dict(document), sort_keys=True, allow_nan=False)}
    write_atomically(path, lambda p: _save(p, contiguous, metadata))


def _save(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    with system_errors(SafetensorError):
        save_file(arrays, path, metadata=metadata)


class TensorFile:
    """An open safetensors file; each array is read when it is asked for.

    Raises
    ------
    SafetensorError
        When the document in its metadata is none.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.names: list[str] = sorted(handle.keys())
        self.document = _document((handle.metadata() or {}).get(KEY, "{}"))

    def __getitem__(self, name: str) -> np.ndarray:
        array: np.ndarray = self._handle.get_tensor(name)
        return array


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SafetensorError(f"its document is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise SafetensorError("its document is no JSON object")
    return found


@contextmanager
def open_tensors(path: Path, *, sealed: bool = True) -> Iterator[TensorFile]:
    """Open a safetensors file for reading by name.

    Raises
    ------
    UserError
        When the bytes are not what the job wrote, or the file is not valid.
    """
    if sealed:
        verify(path)
    try:
        with safe_open(path, framework="numpy") as handle:
            yield TensorFile(handle)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"cannot read '{path}' as safetensors ({error}); delete it and run again"
        ) from None


def read_tensors(
    path: Path, *, sealed: bool = True
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return all arrays of a file and its document."""
    with open_tensors(path, sealed=sealed) as file:
        return {name: file[name] for name in file.names}, file.document
