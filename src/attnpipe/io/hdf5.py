"""Series of equal length out of an HDF5 file."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.io.outside.source import shown

MAX_ROWS = 100_000_000
MAX_RATIO = 1_100
"""Times that a series in chunks may be larger than what is stored: deflate packs 1032 : 1."""
DAMAGED = (OSError, RuntimeError, KeyError, TypeError, ValueError)
"""What h5py raises over damaged files, as the place of the damage has it."""


def read_series(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return one-dimensional numeric datasets of equal length as float64.

    Parameters
    ----------
    path
        The file.
    names
        Datasets wanted, at the file's root.

    Raises
    ------
    UserError
        When the file is absent, damaged or not HDF5, or a dataset is absent, not a numeric
        series, far larger than what the file stores of it, or of another length than the first.
        The message names the file, not its folder.
    """
    with _open(path) as file, np.errstate(invalid="ignore"):  # NaN of any kind is the caller's
        series = [_series(file, name, names[0], path.name) for name in names]
        return {
            name: np.asarray(dataset[...], dtype=np.float64)
            for name, dataset in zip(names, series, strict=True)
        }


def length_of_series(path: Path, names: Sequence[str]) -> int:
    """Return how many values each of the datasets has, without reading them.

    Parameters and errors as in `read_series`.
    """
    with _open(path) as file:
        return max(len(_series(file, name, names[0], path.name)) for name in names)


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    if not path.is_file():
        raise UserError(f"there is no file '{path}'; correct the path")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DAMAGED as error:
        reason = shown(" ".join(str(error).split()), 200)
        raise UserError(
            f"cannot read '{path.name}' as HDF5 ({reason}); give a complete HDF5 file"
        ) from None


def _series(file: h5py.File, name: str, first: str, label: str) -> h5py.Dataset:
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise UserError(
            f"'{label}' has no dataset '{name}', only {', '.join(sorted(file)) or 'nothing'}; "
            "give a file of the expected layout"
        )
    if dataset.ndim != 1 or dataset.dtype.kind not in "iuf" or dataset.size > MAX_ROWS:
        raise UserError(
            f"dataset '{name}' of '{label}' has shape {dataset.shape} and type {dataset.dtype}; "
            f"give a series of at most {MAX_ROWS} numbers"
        )
    _check_stored(file, dataset, name, label)
    if dataset.shape != file[first].shape:
        raise UserError(
            f"dataset '{name}' of '{label}' has {dataset.shape[0]} values but '{first}' has "
            f"{file[first].shape[0]}; give series of equal length"
        )
    return dataset


def _check_stored(file: h5py.File, dataset: h5py.Dataset, name: str, label: str) -> None:
    """Raise a `UserError` for a series, or a chunk of it, that the file cannot hold.

    Memory is taken as the file's header asks for it, chunks that were never written included.
    """
    stored = min(dataset.id.get_storage_size(), file.id.get_filesize())
    elements = max(dataset.size, math.prod(dataset.chunks or ()))
    ratio = MAX_RATIO if dataset.chunks else 1  # only chunks can be packed
    if elements * dataset.dtype.itemsize > ratio * stored:
        raise UserError(
            f"dataset '{name}' of '{label}' announces {elements} numbers but {stored} bytes of it "
            "are stored; give a complete HDF5 file"
        )
