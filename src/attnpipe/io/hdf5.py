"""Series of equal length out of an HDF5 file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from attnpipe.core.errors import UserError

MAX_ROWS = 100_000_000


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
        When the file is absent or not HDF5, or a dataset is absent, not a numeric series,
        or of another length than the first. The message names the file, not its folder.
    """
    with _open(path) as file:
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
    except OSError as error:
        raise UserError(
            f"cannot read '{path.name}' as HDF5 ({error}); give a complete HDF5 file"
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
    if dataset.shape != file[first].shape:
        raise UserError(
            f"dataset '{name}' of '{label}' has {dataset.shape[0]} values but '{first}' has "
            f"{file[first].shape[0]}; give series of equal length"
        )
    return dataset
