"""Layout `arrays`: files named in the config, with axes declared there."""

from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.io.outside.read import SUFFIXES
from attnpipe.saved_weights.files import TEST, RunFiles, StoredFile, below, entries, known
from attnpipe.saved_weights.layout_profiles import Runs
from attnpipe.schema.data import SavedWeightsData


def find_arrays(spec: SavedWeightsData, root: Path) -> Runs:
    """Return model → seed → its one file, whose weights count as ``test``.

    Raises
    ------
    UserError
        When a model has no file, or a file is not below `root`, is not there, or is none
        of npy, npz and safetensors.
    """
    entries(root, str(root))
    found: Runs = {}
    for model, files in spec.files.items():
        if not files:
            raise UserError(f"data.files.{model} is empty; give 'seed: file' or drop the model")
        found[model] = {
            seed: RunFiles(root, ".", model, seed, (_file(root, name, model, seed),))
            for seed, name in sorted(files.items())
        }
    return found


def _file(root: Path, given: str, model: str, seed: int) -> StoredFile:
    key = f"data.files.{model}.{seed}"
    name = below(root, given, key)
    path = root / name
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{key} is '{name}'; give a file that ends in one of {', '.join(SUFFIXES)}")
    if not path.is_file():
        listed = entries(path.parent, str(path.parent)) if path.parent.is_dir() else []
        near = [found.name for found in listed if found.suffix.lower() in SUFFIXES]
        known(path.name, near, key, "file")
    return StoredFile(TEST, name)
