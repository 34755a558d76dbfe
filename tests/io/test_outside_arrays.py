"""Arrays from outside: read exactly, or refused in one sentence with bounded memory."""

import errno
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from attnpipe.core.errors import UserError
from attnpipe.io.outside.declared import check_size
from attnpipe.io.outside.read import read_array, read_shape
from attnpipe.io.outside.source import Source

LIMIT = 1_000_000
A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def npy(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), version=version)
    return stream.getvalue()


def npy_header(text, version=(1, 0), data=b""):
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode("latin1") + data


def plain_header(descr="'<f4'", shape="(2,)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def npz(compression=zipfile.ZIP_STORED, **members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name if "." in name else f"{name}.npy", content)
    return stream.getvalue()


def patched(content, before, after, everywhere=True):
    assert before in content
    return content.replace(before, after, -1 if everywhere else 1)


def central_field(content, offset, value):
    """Change a 4-byte field of the one entry in a zip's table of contents."""
    at = content.index(b"PK\x01\x02") + offset
    return content[:at] + struct.pack("<I", value) + content[at + 4 :]


def flags(content, value):
    """Set the general-purpose flags of the one member, in both of its headers."""
    local, central = content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8
    changed = bytearray(content)
    changed[local] = changed[central] = value
    return bytes(changed)


def tensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype, shape, size):
    return tensors({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}, bytes(size))


def read(tmp_path, name, content, **options):
    (tmp_path / name).write_bytes(content)
    return read_array(tmp_path, name, **{"limit_bytes": LIMIT} | options)


# ------------------------------------------------------------------ what is read


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8", "?", "u1", "<i2", ">i8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_round_trip_in_native_byte_order(tmp_path, dtype, order, version):
    array = np.asarray(A, dtype=dtype, order=order)
    found = read(tmp_path, "a.npy", npy(array, version))
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_npz_round_trip(tmp_path, compression):
    content = npz(compression, a=npy(A), b=npy(A + 1))
    np.testing.assert_array_equal(read(tmp_path, "a.npz", content, array="b"), A + 1)


def test_npz_of_numpy_itself_is_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", weights=A)
    np.testing.assert_array_equal(read_array(tmp_path, "a.npz", limit_bytes=LIMIT), A)


def test_npz_reads_past_members_that_hold_objects(tmp_path):
    content = npz(a=npy(A), notes=npy(np.array([{"x": 1}], dtype=object)))
    np.testing.assert_array_equal(read(tmp_path, "a.npz", content, array="a"), A)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", "?", "u1", "<i8"])
def test_safetensors_round_trip(tmp_path, dtype):
    content = save({"a": A.astype(dtype), "b": A})
    found = read(tmp_path, "a.safetensors", content, array="a")
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, A.astype(dtype))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.npy", npy(A)), ("A.NPZ", npz(a=npy(A))), ("a.safetensors", save({"a": A}))],
)
def test_shape_is_told_and_the_limit_is_exact(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_shape(tmp_path, name, limit_bytes=LIMIT) == (2, 3, 4)
    assert read_array(tmp_path, name, limit_bytes=96).shape == (2, 3, 4)
    with pytest.raises(UserError, match="would take"):
        read_array(tmp_path, name, limit_bytes=95)


def test_sizes_are_never_written_as_powers_of_ten():
    source = Source(Path("a.npy"), "a.npy")
    with pytest.raises(UserError, match="would take 12345 MB of the 10000 MB left"):
        check_size(12_345_000_000, 10_000_000_000, source)


def test_half_precision_counts_as_the_float32_it_becomes(tmp_path):
    with pytest.raises(UserError, match=r"would take 9.6e-05 MB of the 9.5e-05 MB left"):
        read(tmp_path, "a.npy", npy(A.astype("f2")), limit_bytes=95)


# --------------------------------------------------------------- what is refused

AGAIN = "export or copy it again"
PLAIN = "save a plain float32 array"
NO_NPY = "is not an npy file: it does not begin as one; save it with np.save"
NO_HEADER = f"has an npy header that cannot be understood; {AGAIN}"
NO_ZIP = "is not a readable zip archive, which an npz must be; save it with np.savez"
NO_TENSORS = f"is not a valid safetensors file; {AGAIN}"

BAD_NPY = {
    "empty file": (b"", NO_NPY),
    "wrong magic": (b"\x93NUMPX" + npy(A)[7:], NO_NPY),
    "text": (b"0.1 0.2 0.7\n", NO_NPY),
    "version 3": (
        npy_header(plain_header(), (3, 0)),
        "is of npy version 3.0, which no plain array needs; save it with np.save as float32",
    ),
    "cut in the magic": (npy(A)[:7], NO_NPY),
    "cut in the length": (npy(A)[:9], f"is truncated within its npy header; {AGAIN}"),
    "cut in the header": (npy(A)[:60], f"is truncated within its npy header; {AGAIN}"),
    "huge header": (
        npy_header(" " * 2000, (2, 0)),
        "has an npy header of 2000 bytes, and no plain array needs more than 1024; "
        "save it with np.save as float32",
    ),
    "header runs code": (npy_header("__import__('os').abort()"), NO_HEADER),
    "header nests": (npy_header("-" * 900 + "1"), NO_HEADER),
    "header lacks keys": (npy_header("{'descr': '<f4'}"), NO_HEADER),
    "odd descr": (npy_header(plain_header("()")), NO_HEADER),
    "negative size": (npy_header(plain_header(shape="(-1,)"), data=bytes(8)), NO_HEADER),
    "truncated": (
        npy(A)[:-4],
        f"is truncated: its header announces 96 bytes of data, 92 follow; {AGAIN}",
    ),
    "trailing": (
        npy(A) + b"xyz",
        f"has 3 bytes after the 96 bytes of data that its header announces; {AGAIN}",
    ),
    "announces more than any memory": (
        npy_header(plain_header(shape=f"({10**18}, {10**18})")),
        f"is truncated: its header announces {4 * 10**36} bytes of data, 0 follow; {AGAIN}",
    ),
    "no elements": (npy(np.empty((3, 0), np.float32)), f"is empty: its shape is (3, 0); {AGAIN}"),
    "objects": (
        npy(np.array([1, None])),
        f"holds Python objects (dtype object), which are never loaded; {PLAIN}",
    ),
    "complex": (
        npy(A.astype(complex)),
        "holds elements of type 'complex128', which are not real numbers of at most 64 bits; "
        + PLAIN,
    ),
    "text elements": (
        npy(np.array(["x"])),
        f"holds elements of type '<U1', which are not real numbers of at most 64 bits; {PLAIN}",
    ),
    "records": (
        npy(np.zeros(2, dtype=[("x", "<f4")])),
        "holds elements of type '[('x', '<f4')]', which are not real numbers of at most 64 "
        f"bits; {PLAIN}",
    ),
    "many axes": (
        npy(np.zeros((1,) * 9, np.float32)),
        "has 9 axes, more than any attention array; save at most five axes",
    ),
}

BAD_NPZ = {
    "empty file": (b"", NO_ZIP),
    "an npy": (npy(A), NO_ZIP),
    "cut": (npz(a=npy(A))[:-10], NO_ZIP),
    "no member": (npz(), "holds no array; save it with np.savez"),
    "many members": (
        npz(**{f"a{i}": b"" for i in range(257)}),
        "holds 257 members, more than the 256 allowed; save it with np.savez",
    ),
    "table of contents beyond reason": (npz(**{f"a{i}": b"" for i in range(6000)}), NO_ZIP),
    "encrypted": (
        flags(npz(a=npy(A)), 1),
        "holds 'a.npy' encrypted; save it without a password",
    ),
    "lzma": (
        npz(zipfile.ZIP_LZMA, a=npy(A)),
        "holds 'a.npy' compressed by method 14; save it with np.savez or np.savez_compressed",
    ),
    "bzip2": (
        npz(zipfile.ZIP_BZIP2, a=npy(A)),
        "holds 'a.npy' compressed by method 12; save it with np.savez or np.savez_compressed",
    ),
    "foreign member": (
        npz(a=npy(A), **{"run.py": b"1"}),
        "holds 'run.py', which is no npy; save it with np.savez",
    ),
    "unprintable member": (
        npz(**{"a\x1b[31m.txt": b"1"}),
        "holds 'a\\x1b[31m.txt', which is no npy; save it with np.savez",
    ),
    "doubled": (
        patched(npz(a=npy(A), b=npy(A)), b"b.npy", b"a.npy"),
        "holds 'a.npy' twice; save it with np.savez",
    ),
    "two arrays, none named": (
        npz(a=npy(A), b=npy(A)),
        "holds 2 arrays; name one in data.array: a, b",
    ),
    "says it is a bomb": (
        central_field(npz(a=npy(A)), 24, 2**31),
        "would take 2147 MB of the 1 MB left of data.max_megabytes; "
        "raise that limit or store fewer samples",
    ),
    "is a bomb": (
        npz(zipfile.ZIP_DEFLATED, a=npy(np.zeros(10**7, np.float32))),
        "would take 40 MB of the 1 MB left of data.max_megabytes; "
        "raise that limit or store fewer samples",
    ),
}

INSIDE_NPZ = {
    "member is no npy": (npz(a=b"hello"), NO_NPY),
    "objects": (
        npz(a=npy(np.array([1, None]))),
        f"holds Python objects (dtype object), which are never loaded; {PLAIN}",
    ),
    "a bomb that says it is small": (
        central_field(
            npz(zipfile.ZIP_DEFLATED, a=npy(np.zeros(10**7, np.float32))), 24, 128 + 4000
        ),
        f"is truncated: its header announces 40000000 bytes of data, 4000 follow; {AGAIN}",
    ),
    "flipped bit": (
        patched(npz(a=npy(A)), struct.pack("<f", 23.0), struct.pack("<f", 22.0)),
        f"is damaged: its bytes do not unpack to what was packed; {AGAIN}",
    ),
    "size beyond the data": (
        central_field(npz(a=npy(A)), 24, 128 + 100),
        f"has 4 bytes after the 96 bytes of data that its header announces; {AGAIN}",
    ),
}

BAD_TENSORS = {
    "empty file": (b"", NO_TENSORS),
    "no JSON": (tensors(b"{"), NO_TENSORS),
    "header beyond the file": (
        tensors(b"{}", length=2**62),
        f"announces a header of {2**62} bytes, in a file of 10 (at most 1048576); {AGAIN}",
    ),
    "header beyond the limit": (
        tensors(b" " * (2**20 + 1)),
        f"announces a header of 1048577 bytes, in a file of 1048585 (at most 1048576); {AGAIN}",
    ),
    "truncated": (save({"a": A})[:-1], NO_TENSORS),
    "trailing": (save({"a": A}) + b"x", NO_TENSORS),
    "offsets beyond the file": (
        tensors({"a": {"dtype": "F32", "shape": [99], "data_offsets": [0, 396]}}),
        NO_TENSORS,
    ),
    "nothing in it": (tensors({}), f"holds no array; {AGAIN}"),
    "two arrays, none named": (
        save({"a": A, "b": A}),
        "holds 2 arrays; name one in data.array: a, b",
    ),
}

INSIDE_TENSORS = {
    "bfloat16": (tensor("BF16", [2], 4), "is stored as BF16; store it as F32"),
    "float8": (tensor("F8_E4M3", [2], 2), "is stored as F8_E4M3; store it as F32"),
    "complex": (tensor("C64", [1], 8), "is stored as C64; store it as F32"),
    "no elements": (tensor("F32", [0, 2], 0), f"is empty: its shape is (0, 2); {AGAIN}"),
}

REFUSED = [
    pytest.param(f"a{suffix}", shown, content, message, id=f"{suffix} {case}")
    for suffix, shown, table in [
        (".npy", "a.npy", BAD_NPY),
        (".npz", "a.npz", BAD_NPZ),
        (".npz", "a.npz[a]", INSIDE_NPZ),
        (".safetensors", "a.safetensors", BAD_TENSORS),
        (".safetensors", "a.safetensors[a]", INSIDE_TENSORS),
    ]
    for case, (content, message) in table.items()
]


@pytest.mark.parametrize(("name", "shown", "content", "message"), REFUSED)
def test_refusal_names_file_fault_and_cure(tmp_path, name, shown, content, message):
    with pytest.raises(UserError) as refused:
        read(tmp_path, name, content)
    assert str(refused.value) == f"'{shown}' {message}"


@pytest.mark.parametrize(
    ("name", "content"), [("a.npz", npz(weights=npy(A))), ("a.safetensors", save({"weights": A}))]
)
def test_unknown_array_is_answered_with_the_nearest(tmp_path, name, content):
    with pytest.raises(UserError) as refused:
        read(tmp_path, name, content, array="wieghts")
    assert str(refused.value) == (
        f"'{name}' holds no array 'wieghts' (data.array); did you mean 'weights'?"
    )


def test_absent_unreadable_and_foreign_files_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "folder.npy").mkdir()
    cases = {
        "none.npy": "does not exist; check data.path",
        "pipe.npy": "is not a regular file; give a file",
        "folder.npy": "is not a regular file; give a file",
        "a.pt": "is of no known format; give one of .npy, .npz, .safetensors",
    }
    for name, message in cases.items():
        with pytest.raises(UserError) as refused:
            read_array(tmp_path, name, limit_bytes=LIMIT)
        assert str(refused.value) == f"'{name}' {message}"


def test_pickles_are_never_run(tmp_path):
    flag = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (flag,))

    payload = npy_header(plain_header("'|O'", "(1,)")) + pickle.dumps([Bomb()])
    for name, content in {"a.npy": payload, "a.npz": npz(a=payload)}.items():
        with pytest.raises(UserError, match="never loaded"):
            read(tmp_path, name, content)
    assert not flag.exists()


@pytest.mark.parametrize("case", ["is a bomb", "says it is a bomb"])
def test_zip_bombs_take_no_memory(tmp_path, case):
    (tmp_path / "a.npz").write_bytes(BAD_NPZ[case][0])
    tracemalloc.start()
    with pytest.raises(UserError):
        read_array(tmp_path, "a.npz", limit_bytes=LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000


def test_faults_of_the_disk_are_not_blamed_on_the_file(tmp_path):
    source = Source(tmp_path / "a.npy", "a.npy")
    with pytest.raises(OSError, match="I/O") as broken, source.parsing("is damaged"):
        raise OSError(errno.EIO, "I/O error")
    assert broken.value.errno == errno.EIO
    with pytest.raises(UserError), source.parsing("is damaged"):
        raise OSError(errno.EINVAL, "seek before the start")
