"""Where an interrupted training finds its last epoch."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

Arrays = Mapping[str, np.ndarray]
Document = Mapping[str, Any]


@runtime_checkable
class ResumeStore(Protocol):
    """Keeps one state: arrays and a JSON document, replaced atomically.

    A store belongs to one run at one fingerprint. The caller of `train` clears it once
    the run's outputs are written; `train` itself never does, so that nothing is lost
    between the end of training and the writing.
    """

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return what was saved last, or None."""

    def save(self, arrays: Arrays, document: Document) -> None:
        """Replace what is kept. The arrays may change once this returns."""

    def clear(self) -> None:
        """Forget everything."""
