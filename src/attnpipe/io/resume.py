"""The state of an interrupted training, in a file that only the same training finds."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.io.json import canonical
from attnpipe.io.seal import sealed_digest
from attnpipe.io.tensors import read_tensors, write_tensors

BAD_ARRAY = (TypeError, ValueError, KeyError, AttributeError)
"""What the library raises over a number format that numpy does not have."""


class ResumeFile:
    """One safetensors file, replaced atomically; see `attnpipe.training.resume`.

    No seal vouches for it, as its job has not ended: it holds its own name, which says of which
    run at which fingerprint it is, and a SHA-256 over all else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return the last state; one that is damaged or of another run counts as none."""
        if not self.path.exists():
            return None
        try:
            arrays, document = read_tensors(self.path, sealed=False)
        except (UserError, *BAD_ARRAY):
            return None
        state = document.get("state")
        if not isinstance(state, dict) or document != self._identified(arrays, state):
            return None
        return arrays, state

    def save(self, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> None:
        """Replace the state, and drop states of the same run under another fingerprint."""
        write_tensors(self.path, arrays, self._identified(arrays, document))
        run = self.path.name.rpartition(".")[0].rpartition(".")[0]
        for other in self.path.parent.glob(f"{run}.*.safetensors"):
            if other != self.path:
                other.unlink(missing_ok=True)

    def _identified(
        self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"run": self.path.name, "sha256": _digest(arrays, state), "state": dict(state)}

    def clear(self) -> None:
        """Remove the state."""
        self.path.unlink(missing_ok=True)


def _digest(arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of arrays, and of a document."""
    stored = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    kinds = {name: [array.dtype.str, array.shape] for name, array in stored.items()}
    found = hashlib.sha256(canonical([kinds, state]).encode())
    for array in stored.values():
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def resume_file(checkpoints: Path, param: str, dataset: Path) -> ResumeFile:
    """Return the resume state of the run whose checkpoints go to `checkpoints`.

    It lies outside the declared outputs, in `results/<study>/.resume/`, and is keyed by the
    run's param (config and source fingerprint) and the dataset's checksum.
    """
    seed_folder = checkpoints.parent
    study = seed_folder.parents[2]
    key = hashlib.sha256(f"{param}\n{sealed_digest(dataset)}".encode()).hexdigest()[:24]
    name = f"{seed_folder.parent.name}.{seed_folder.name}.{key}.safetensors"
    return ResumeFile(study / ".resume" / name)
