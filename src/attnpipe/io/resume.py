"""The state of an interrupted training, in a file that only the same training finds."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.io.seal import sealed_digest
from attnpipe.io.tensors import read_tensors, write_tensors


class ResumeFile:
    """One safetensors file, replaced atomically; see `attnpipe.training.resume`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return the last state; a damaged file counts as none, the training starts anew."""
        if not self.path.exists():
            return None
        try:
            return read_tensors(self.path, sealed=False)
        except UserError:
            return None

    def save(self, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> None:
        """Replace the state, and drop states of the same run under another fingerprint."""
        write_tensors(self.path, arrays, document)
        run = self.path.name.rpartition(".")[0].rpartition(".")[0]
        for other in self.path.parent.glob(f"{run}.*.safetensors"):
            if other != self.path:
                other.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the state."""
        self.path.unlink(missing_ok=True)


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
