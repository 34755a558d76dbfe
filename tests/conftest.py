"""Shape and type annotations are checked at run time in all tests."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# One thread per process, as in jobs of the pipeline: tests run beside each other, and pools that
# wait for each other's cores take several times as long.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = os.environ["POLARS_MAX_THREADS"] = "1"

import numpy as np
import pytest
from jaxtyping import install_import_hook

install_import_hook("attnpipe", "beartype.beartype")


def small_dataset(
    rows: int = 600, window: int = 8, features: int = 3, probe: int = 8, lead: int = 2
):
    """Return a forecast dataset from one autoregressive series, without files."""
    from attnpipe.data.dataset import SequenceDataset

    rng = np.random.default_rng(5)
    series = np.zeros((rows, features), dtype=np.float32)
    for t in range(1, rows):
        series[t] = 0.9 * series[t - 1] + rng.normal(0.0, 0.4, features)
    target = np.full(rows, np.nan, dtype=np.float32)
    target[:-lead] = 10.0 * (series[lead:, 0] - series[:-lead, 0]) + 3.0
    a, b = int(0.7 * rows), int(0.85 * rows)
    splits = {
        "train": np.arange(window - 1, a - lead),
        "validation": np.arange(a + window, b - lead),
        "test": np.arange(b + window, rows - lead),
    }
    n_test, train = len(splits["test"]), target[splits["train"]]
    spread = np.linspace(0, len(splits["validation"]) - 1, probe).round().astype(np.int64)
    return SequenceDataset(
        features=series,
        target=target,
        trivial={
            "persistence": np.zeros(rows, dtype=np.float32),
            "train_mean": np.full(rows, train.mean(), dtype=np.float32),
        },
        target_mean=float(train.mean()),
        target_scale=float(train.std()),
        window=window,
        splits=splits,
        probe=splits["validation"][spread],
        halves=np.arange(probe) % 2,
        units=np.arange(n_test) // 20,
        unit_names=tuple(f"block {i}" for i in range(n_test // 20 + 1)),
        sequences=np.zeros(n_test, dtype=np.int64),
        sequence_names=("series",),
        description={},
    )


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse every byte of a file beyond `size`, as a disk does that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="session")
def full_disk() -> Callable:
    """Return the context in which files take no more than so many bytes."""
    return files_of_at_most


@pytest.fixture(scope="session")
def make_dataset() -> Callable:
    """Return the maker of small forecast datasets."""
    return small_dataset
