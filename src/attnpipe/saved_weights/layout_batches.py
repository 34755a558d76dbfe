"""Layout `batches`: ``attention_batch_NNNN.npz``, with or without a folder for each model."""

import re
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.saved_weights.files import TEST, RunFiles, StoredFile, below, entries
from attnpipe.saved_weights.layout_profiles import Runs
from attnpipe.schema.data import SavedWeightsData

BATCH = re.compile(r"attention_batch_(?P<number>[0-9]{1,9})\.npz")
LIKE = re.compile(r"attention_batch_.*\.npz", re.DOTALL)
NO_SEED = 0


def find_batches(spec: SavedWeightsData, root: Path) -> Runs:
    """Return model → {0: files}: each file is one sample of the one run there is.

    The layout stores ``attention_weights`` as (layer, head, query, key), with no sample
    axis and nothing that tells whether a file is one window or the mean of a batch. It is
    taken as one window; ``data.averaged_over=[sample]`` says that it is a mean. Runs are
    no replicates under seeds: 0 stands in.

    Raises
    ------
    UserError
        When a folder holds no batches.
    """
    if not spec.prefixes:
        return {spec.name: {NO_SEED: _run(root, ".", spec.name, "data.path")}}
    found: Runs = {}
    for name, subfolder in spec.prefixes.items():
        key = f"data.prefixes.{name}"
        folder = below(root, subfolder, key)
        found[name] = {NO_SEED: _run(root, folder, subfolder, key)}
    return found


def _run(root: Path, folder: str, label: str, key: str) -> RunFiles:
    where = root / folder
    numbered: list[tuple[int, StoredFile]] = []
    odd: list[StoredFile] = []
    for path in entries(where, str(where), key):
        name = path.name if folder == "." else f"{folder}/{path.name}"
        match = BATCH.fullmatch(path.name)
        if match is not None:
            numbered.append((int(match["number"]), StoredFile(TEST, name)))
        elif LIKE.fullmatch(path.name):
            odd.append(StoredFile(None, name))
    if not numbered:
        raise UserError(
            f"{key}: '{where}' holds no file 'attention_batch_NNNN.npz'{_hint(where)}; check {key}"
        )
    in_order = sorted(numbered, key=lambda found: found[0])
    return RunFiles(root, folder, label, NO_SEED, (*(file for _, file in in_order), *odd))


def _hint(where: Path) -> str:
    """Name subfolders that do hold batches."""
    held = [p.name for p in sorted(where.iterdir()) if p.is_dir() and any(p.glob("*_batch_*.npz"))]
    if not held:
        return ""
    return f", but its folder {held[0]!a} does: name it in data.prefixes (model: folder)"
