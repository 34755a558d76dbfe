"""Every reader of files from outside, with valid files to begin from."""

import io
import json
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import save
from tests.fuzz.mutate import mutated

from attnpipe.io.csv import read_columns
from attnpipe.io.hdf5 import length_of_series, read_series
from attnpipe.io.header import likely_rows, most_rows
from attnpipe.io.json import parse_json
from attnpipe.io.outside.read import read_array
from attnpipe.io.parquet import decoded, read_table, write_table
from attnpipe.io.seal import read_seal, write_seal
from attnpipe.tables.history import HISTORY

LIMIT = 1_000_000
A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
NUMPY_WORDS = b"0123456789,()'\"{}-|<>OUVfMm"


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes
    ----------
    file
        Name under which it is given files.
    samples
        Valid files.
    read
        Path, generator → anything, or a `UserError`.
    words
        As in `mutated`.
    """

    file: str
    samples: Sequence[bytes]
    read: Callable[[Path, random.Random], object]
    words: bytes = b""

    def attempt(self, folder: Path, seed: int) -> object:
        """Read the file of that number."""
        generator = random.Random(seed)
        path = folder / self.file
        path.write_bytes(mutated(generator.choice(self.samples), generator, self.words))
        return self.read(path, generator)


def _npy(array) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array))
    return stream.getvalue()


def _npz(compression=zipfile.ZIP_STORED, **members) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def _array(path: Path, generator: random.Random) -> None:
    name = generator.choice(["a", None])
    found = read_array(path.parent, path.name, limit_bytes=LIMIT, array=name)
    assert found.dtype.kind in "fiub"
    assert 0 < found.nbytes <= LIMIT


def _csv(path: Path, generator: random.Random) -> None:
    most_rows(path), likely_rows(path)
    frame = read_columns(path, {"a": "number", "f": "flag", "s": "text"})
    assert frame.columns == ["a", "f", "s"]


def _hdf5(path: Path, generator: random.Random) -> None:
    names = ["a", "b", "c"]
    rows = length_of_series(path, names)
    found = read_series(path, names)
    assert {len(series) for series in found.values()} == {rows}


def _hdf5_file() -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["a"] = np.arange(30, dtype="f4")
        file["b"] = np.arange(30, dtype=">i2")
        file.create_dataset("c", data=np.arange(30.0), compression="gzip", chunks=(10,))
    return stream.getvalue()


def _json(path: Path, generator: random.Random) -> None:
    from attnpipe.pretrained.files import read_object

    if generator.random() < 0.3:
        read_seal(path)
    else:
        generator.choice([parse_json, read_object])(path)


def _table(path: Path, generator: random.Random) -> None:
    """Read a table behind the seal of the whole file."""
    assert read_table(path, HISTORY).schema == HISTORY.schema


def _unsealed_table(path: Path, generator: random.Random) -> None:
    """Read a table as if its damage had come before its seal."""
    assert decoded(path, path.read_bytes(), HISTORY).schema == HISTORY.schema


def _gguf(path: Path, generator: random.Random) -> None:
    from attnpipe.pretrained.gguf import convert_gguf

    convert_gguf(path, path.parent)


def _parquet_file(folder: Path) -> bytes:
    """Return a table, and leave its seal."""
    rows = [
        {"model": "a", "seed": s, "epoch": e, "train_loss": 0.5} for s in (1, 2) for e in (0, 9)
    ]
    path = folder / "a.parquet"
    write_table(path, HISTORY.frame(rows), HISTORY)
    write_seal("train", "train", "{}", [path])
    return path.read_bytes()


def _gguf_file(folder: Path) -> bytes:
    """A file whose metadata are short, so that changes meet what matters."""
    from tests.pretrained import tiny

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    model = tiny.llama(num_hidden_layers=1, num_key_value_heads=1, **sizes)
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "ab"]
    fields = {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3, 3, 1, 1, 1],
        "tokenizer.ggml.merges": ["a b"],
    }
    return tiny.write_gguf(folder / "a.gguf", model, fields=fields).read_bytes()


CSV = [b"a,f,s\n1.5,true,x\n,0,\nnan,1,y\n", b'\xef\xbb\xbfs,"a",f\r\n"x,\n""y",-1e9,False\r\n']
DOCUMENTS = [
    {"schema": 1, "x": [1, 2.5, None, {"y": "z" * 9}]},
    {"schema": 2, "rule": "r", "param": {}, "outputs": {"a": {"size": 1, "mtime_ns": 2,
     "sha256": "0"}}, "inputs": {}, "outside": {}, "failure": None, "sha256": "f"},
]  # fmt: skip


@cache
def target(name: str, folder: Path) -> Target:
    """Return a target; `folder` takes what is made to begin from."""
    made = {
        "csv": lambda: Target("a.csv", CSV, _csv, b',"\n\r \t;0.eEnatrufls\x00\xff'),
        "npy": lambda: Target(
            "a.npy", [_npy(A), _npy(np.asfortranarray(A.astype(">f8")))], _array, NUMPY_WORDS
        ),
        "npz": lambda: Target(
            "a.npz",
            [_npz(a=_npy(A)), _npz(zipfile.ZIP_DEFLATED, a=_npy(A), b=_npy(A))],
            _array,
            NUMPY_WORDS,
        ),
        "safetensors": lambda: Target(
            "a.safetensors",
            [save({"a": A, "b": A.astype("f2")}), save({"a": A})],
            _array,
            b'0123456789,[]{}":-FIUB',
        ),
        "parquet": lambda: Target("a.parquet", [_parquet_file(folder)], _table),
        UNSEALED: lambda: Target("a.parquet", [_parquet_file(folder)], _unsealed_table),
        "hdf5": lambda: Target("a.h5", [_hdf5_file()], _hdf5),
        "json": lambda: Target(
            "a.json",
            [json.dumps(d).encode() for d in DOCUMENTS],
            _json,
            b'{}[],:"-0123456789eE.\\u',
        ),
        "gguf": lambda: Target("a.gguf", [_gguf_file(folder)], _gguf),
    }
    return made[name]()


FORMATS = ("csv", "npy", "npz", "safetensors", "parquet", "hdf5", "json", "gguf")
UNSEALED = "parquet_unsealed"
"""No format of files from outside: over some of these polars ends the process."""
