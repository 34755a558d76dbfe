"""Stored attention of texts: `attention.safetensors` of a pretrained model's run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from attnpipe.io.tensors import TensorFile, open_tensors, write_tensors

AXES = {"last": ["layer", "head", "key"], "full": ["layer", "head", "query", "key"]}


class TextWeights:
    """The stored weights of one run, each array read when it is asked for."""

    def __init__(self, file: TensorFile) -> None:
        self._file = file
        self.checkpoints: list[str] = file.document["checkpoints"]

    def items(self, kind: str, checkpoint: str) -> list[int]:
        """Return the texts of which the ``last`` row or the ``full`` map is stored."""
        start = f"{checkpoint}/{kind}/"
        return sorted(int(n.removeprefix(start)) for n in self._file.names if n.startswith(start))

    def last(self, checkpoint: str, item: int) -> Float32[np.ndarray, "layer head key"]:
        """Return the last token's row of a text."""
        return self._file[f"{checkpoint}/last/{item}"]

    def full(self, checkpoint: str, item: int) -> Float32[np.ndarray, "layer head query key"]:
        """Return all rows of a text."""
        return self._file[f"{checkpoint}/full/{item}"]


def write_text_weights(
    path: Path, arrays: Mapping[str, np.ndarray], checkpoints: list[str]
) -> None:
    """Write arrays named ``<checkpoint>/<last or full>/<item>``."""
    write_tensors(path, arrays, {"schema": 1, "axes": AXES, "checkpoints": checkpoints})


@contextmanager
def open_text_weights(path: Path) -> Iterator[TextWeights]:
    """Open the stored weights of a run."""
    with open_tensors(path) as file:
        yield TextWeights(file)
