"""Layout `profiles`: ``<prefix>_seed<seed>/attention_epoch_NNN.npy`` and ``attention_test.npy``."""

import re
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.saved_weights.files import TEST, RunFiles, StoredFile, entries, known, safe_names
from attnpipe.schema.data import SavedWeightsData

RUN = re.compile(r"(?P<prefix>.+)_seed(?P<seed>[0-9]+)", re.DOTALL)
EPOCH = re.compile(r"attention_epoch_(?P<epoch>[0-9]{1,9})\.npy")
LIKE = re.compile(r"attention_epoch_.*\.npy", re.DOTALL)
TEST_FILE = "attention_test.npy"
LOOKED_FOR = "'<prefix>_seed<seed>' with 'attention_epoch_NNN.npy' or 'attention_test.npy'"

Runs = dict[str, dict[int, RunFiles]]


def find_profiles(spec: SavedWeightsData, root: Path) -> Runs:
    """Return model → seed → files.

    A model is everything before the last ``_seed<digits>`` of a folder's name, so that
    the prefix ``A`` never takes the runs of ``A_B``. A prefix of which no folder holds
    weights is no model; an empty folder beside full ones is a run that will be refused.

    Raises
    ------
    UserError
        When nothing is found, a named prefix is not there, two folders stand for one
        seed, or a seed is 2³² or more.
    """
    found = _by_prefix(root)
    held = sorted(p for p, runs in found.items() if any(run.files for run in runs.values()))
    if not held:
        raise UserError(f"'{root}' holds no folder {LOOKED_FOR}{_hint(root)}; check data.path")
    for name, prefix in spec.prefixes.items():
        known(prefix, held, f"data.prefixes.{name}", "prefix with saved weights")
    names = spec.prefixes or safe_names(held)
    return {name: found[prefix] for name, prefix in names.items()}


def _by_prefix(root: Path) -> Runs:
    found: Runs = {}
    for folder in entries(root, str(root)):
        match = RUN.fullmatch(folder.name)
        if match is None or not folder.is_dir():
            continue
        prefix, seed = match["prefix"], int(match["seed"])
        if seed >= 2**32:
            raise UserError(f"folder {folder.name!a} has a seed above 2³² − 1; rename it")
        runs = found.setdefault(prefix, {})
        if seed in runs:
            raise UserError(
                f"folders {runs[seed].folder!a} and {folder.name!a} both hold seed {seed}; "
                "remove one of them"
            )
        runs[seed] = RunFiles(root, folder.name, prefix, seed, _files(folder))
    return {prefix: dict(sorted(runs.items())) for prefix, runs in found.items()}


def _files(folder: Path) -> tuple[StoredFile, ...]:
    epochs: list[tuple[int, StoredFile]] = []
    others: list[StoredFile] = []
    for path in entries(folder, folder.name):
        name = f"{folder.name}/{path.name}"
        match = EPOCH.fullmatch(path.name)
        if match is not None:
            epoch = int(match["epoch"])
            epochs.append((epoch, StoredFile(f"epoch_{epoch:03d}", name)))
        elif path.name == TEST_FILE:
            others.insert(0, StoredFile(TEST, name))
        elif LIKE.fullmatch(path.name):
            others.append(StoredFile(None, name))
    in_order = sorted(epochs, key=lambda found: found[0])
    return (*(file for _, file in in_order), *others)


def _hint(root: Path) -> str:
    """Say which other layout the folder looks like."""
    if any(re.fullmatch(r"attention_batch_[0-9]+\.npz", path.name) for path in root.iterdir()):
        return " but files 'attention_batch_NNNN.npz': set data.layout=batches"
    return ""
