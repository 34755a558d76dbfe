"""Weights of a run at every kept checkpoint: tensors named `<checkpoint>/<tensor>`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attnpipe.io.tensors import read_tensors, write_tensors

Checkpoints = Mapping[str, Mapping[str, np.ndarray]]


def write_checkpoints(path: Path, checkpoints: Checkpoints, run: Mapping[str, Any]) -> None:
    """Write checkpoints in their order, with the identity of their run."""
    arrays = {f"{c}/{name}": a for c, weights in checkpoints.items() for name, a in weights.items()}
    write_tensors(path, arrays, {"schema": 1, "run": dict(run), "checkpoints": list(checkpoints)})


def read_checkpoints(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the sealed checkpoints of a run, in the order they were kept."""
    arrays, document = read_tensors(path)
    found: dict[str, dict[str, np.ndarray]] = {name: {} for name in document["checkpoints"]}
    for key, array in arrays.items():
        checkpoint, _, name = key.partition("/")
        found[checkpoint][name] = array
    return found
