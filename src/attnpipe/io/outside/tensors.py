"""The safetensors format, by its own library.

Format: https://github.com/huggingface/safetensors#format. The library checks the offsets
of all tensors against the size of the file before it gives any of them.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from safetensors import safe_open

from attnpipe.io.outside.declared import Declared, admit, choose
from attnpipe.io.outside.source import AGAIN, Source, shown

MAX_HEADER = 1 << 20
"""Bytes of a header: enough for some thousand tensors."""
TYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BOOL": "?",
    "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1",
}  # fmt: skip
DAMAGED = "is not a valid safetensors file"


@contextmanager
def declare_tensor(source: Source, array: str | None) -> Iterator[Declared]:
    """Give what one tensor announces; it can be loaded while the context lasts.

    Parameters
    ----------
    array
        Name of the tensor; None: the only one.

    Raises
    ------
    UserError
        When the file is no valid safetensors file, its header is larger than the file or
        1 MiB, the tensor is not there, or its type is none that numpy has (bfloat16).
    """
    with source.open() as (stream, size):
        start = stream.read(8)
    if len(start) < 8:
        raise source.fault(DAMAGED, AGAIN)
    (header,) = struct.unpack("<Q", start)
    if header > min(MAX_HEADER, size - 8):
        raise source.fault(
            f"announces a header of {header} bytes, in a file of {size} (at most {MAX_HEADER})",
            AGAIN,
        )
    with source.parsing(DAMAGED):
        file = safe_open(source.path, framework="numpy")
    with file:
        with source.parsing(DAMAGED):
            names = sorted(file.keys())
        name = choose(names, array, source)
        inside = Source(source.path, f"{source.name}[{shown(name)}]")
        with inside.parsing(DAMAGED):
            tensor = file.get_slice(name)
            shape, kind = tuple(tensor.get_shape()), tensor.get_dtype()
        if kind not in TYPES:
            raise inside.fault(f"is stored as {shown(kind)}", "store it as F32")

        def load() -> np.ndarray:
            with inside.parsing(DAMAGED):
                return np.asarray(file.get_tensor(name))

        yield admit(Declared(shape, np.dtype(TYPES[kind]), load), inside)
