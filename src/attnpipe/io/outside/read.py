"""Arrays that other software wrote: npy, npz and safetensors, read without trusting them.

Whatever the bytes are, reading ends with an array of real numbers or with a `UserError`,
and takes no more memory than the limit that the caller sets (and a fixed amount beside).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from attnpipe.io.outside.declared import Declared, check_size
from attnpipe.io.outside.npy import declare_npy
from attnpipe.io.outside.npz import declare_npz
from attnpipe.io.outside.source import Source
from attnpipe.io.outside.tensors import declare_tensor

SUFFIXES = (".npy", ".npz", ".safetensors")


def read_array(root: Path, name: str, *, limit_bytes: int, array: str | None = None) -> np.ndarray:
    """Return one array of a file from outside.

    Parameters
    ----------
    root
        The data folder.
    name
        Path of the file below it; messages use this.
    limit_bytes
        Largest memory of the array, counted as stored or as float32, whichever is more.
    array
        Which array of an npz or safetensors file; None: the only one. An npy holds one.

    Returns
    -------
    Booleans, integers or floating-point numbers of at most 64 bits in the machine's byte
    order, at least one element, at most 8 axes. The values are not judged. It may be
    read-only.

    Raises
    ------
    UserError
        One sentence with the file, its fault and the cure.
    """
    with _declare(root, name, limit_bytes, array) as (declared, source):
        check_size(declared.working_bytes, limit_bytes, source)
        return declared.load()


def read_shape(
    root: Path, name: str, *, limit_bytes: int, array: str | None = None
) -> tuple[int, ...]:
    """Return the shape that a file announces, without reading its data.

    Parameters and errors as in `read_array`.
    """
    with _declare(root, name, limit_bytes, array) as (declared, _):
        return declared.shape


@contextmanager
def _declare(
    root: Path, name: str, limit_bytes: int, array: str | None
) -> Iterator[tuple[Declared, Source]]:
    source = Source(root / name, name)
    suffix = Path(name).suffix.lower()
    if suffix == ".npy":
        with source.open() as (stream, size):
            yield declare_npy(stream, size, source), source
    elif suffix == ".npz":
        with declare_npz(source, array, limit_bytes) as declared:
            yield declared, source
    elif suffix == ".safetensors":
        with declare_tensor(source, array) as declared:
            yield declared, source
    else:
        raise source.fault("is of no known format", f"give one of {', '.join(SUFFIXES)}")
