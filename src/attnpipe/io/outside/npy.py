"""The npy format, from a file or from a member of an npz.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Only the
header's bytes are given to numpy's parser, which evaluates nothing but literals; the data
are read here, after the announced size was compared with the real one.
"""

import io
import math
import struct
import warnings

import numpy as np
from numpy.lib import format as npy_format

from attnpipe.io.outside.declared import Declared, admit
from attnpipe.io.outside.source import AGAIN, CHUNK, Source

MAX_HEADER = 1024
"""Bytes of a header; numpy writes 118 for any plain array."""
DAMAGED = "is damaged: its bytes do not unpack to what was packed"
HEADERS = {
    (1, 0): ("<H", npy_format.read_array_header_1_0),
    (2, 0): ("<I", npy_format.read_array_header_2_0),
}


def declare_npy(stream: io.BufferedIOBase, size: int, source: Source) -> Declared:
    """Return what the npy at the start of `stream` announces.

    Parameters
    ----------
    stream
        At the first byte; it must stay open until the array was loaded.
    size
        Bytes of the whole npy: those of the file or of the zip member.

    Raises
    ------
    UserError
        When it is no npy, its header is not valid, its elements are not plain numbers,
        or `size` is not what the header announces (truncated, or something follows).
    """
    shape, fortran_order, dtype, start = _header(stream, source)
    declared = admit(
        Declared(shape, dtype, lambda: _data(stream, shape, fortran_order, dtype, source)), source
    )
    present = size - start
    if present < declared.bytes:
        raise source.fault(
            f"is truncated: its header announces {declared.bytes} bytes of data, {present} follow",
            AGAIN,
        )
    if present > declared.bytes:
        raise source.fault(
            f"has {present - declared.bytes} bytes after the {declared.bytes} bytes of data that "
            "its header announces",
            AGAIN,
        )
    return declared


def _header(
    stream: io.BufferedIOBase, source: Source
) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Return shape, order, type, and where the data begin."""
    magic = _read(stream, npy_format.MAGIC_LEN, source)
    if not magic.startswith(npy_format.MAGIC_PREFIX) or len(magic) < npy_format.MAGIC_LEN:
        raise source.fault("is not an npy file: it does not begin as one", "save it with np.save")
    version = (magic[-2], magic[-1])
    if version not in HEADERS:
        raise source.fault(
            f"is of npy version {version[0]}.{version[1]}, which no plain array needs",
            "save it with np.save as float32",
        )
    length_format, parse = HEADERS[version]
    prefix = _read(stream, struct.calcsize(length_format), source)
    with source.parsing("is truncated within its npy header"):
        (length,) = struct.unpack(length_format, prefix)
    if length > MAX_HEADER:
        raise source.fault(
            f"has an npy header of {length} bytes, and no plain array needs more than {MAX_HEADER}",
            "save it with np.save as float32",
        )
    text = _read(stream, length, source)
    if len(text) < length:
        raise source.fault("is truncated within its npy header", AGAIN)
    with source.parsing("has an npy header that cannot be understood"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2 are fine, if slow
        shape, fortran_order, dtype = parse(io.BytesIO(prefix + text))
        if any(size < 0 for size in shape):
            raise ValueError("negative size")
    return tuple(int(n) for n in shape), fortran_order, dtype, len(magic) + len(prefix) + length


def _read(stream: io.BufferedIOBase, size: int, source: Source) -> bytes:
    with source.parsing(DAMAGED):
        return stream.read(size)


def _data(
    stream: io.BufferedIOBase,
    shape: tuple[int, ...],
    fortran_order: bool,
    dtype: np.dtype,
    source: Source,
) -> np.ndarray:
    flat = np.empty(math.prod(shape), dtype=dtype)
    view = flat.view(np.uint8).data
    filled = 0
    while filled < len(view):
        with source.parsing(DAMAGED):
            got = stream.readinto(view[filled : filled + CHUNK])
        if not got:
            raise source.fault(f"ends after {filled} of {len(view)} bytes of data", AGAIN)
        filled += got
    array = flat.reshape(shape[::-1]).T if fortran_order else flat.reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)
