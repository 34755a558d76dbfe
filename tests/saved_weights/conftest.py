"""Example folders of saved weights, in every layout."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from attnpipe.schema.data import SavedWeightsData


class Folder:
    """A data folder to be filled, and the config that reads it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.generator = np.random.default_rng(20)

    def spec(self, **options):
        given = {"kind": "saved_weights", "name": "import", "path": str(self.root)} | options
        return SavedWeightsData.model_validate(given)

    def rows(self, *shape, dtype=np.float32):
        """Random distributions over the last axis, exact within rounding."""
        return self.generator.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(dtype)

    def profiles(self, prefix, seed, epochs=(1, 2, 3), test=True, keys=50):
        """One run in layout `profiles`; returns file name → profile."""
        run = self.root / f"{prefix}_seed{seed}"
        run.mkdir(parents=True, exist_ok=True)
        names = [f"attention_epoch_{epoch:03d}.npy" for epoch in epochs]
        names += ["attention_test.npy"] if test else []
        arrays = {name: self.rows(keys) for name in names}
        for name, array in arrays.items():
            np.save(run / name, array)
        return arrays

    def batches(self, count=3, layers=2, heads=2, steps=6, folder=".", causal=False, **more):
        """Files of layout `batches`; returns the weights, file by file."""
        where = self.root / folder
        where.mkdir(parents=True, exist_ok=True)
        stored = []
        for number in range(count):
            weights = self.rows(layers, heads, steps, steps)
            if causal:
                weights = np.tril(weights)
                weights /= weights.sum(axis=-1, keepdims=True)
            stored.append(weights)
            np.savez(
                where / f"attention_batch_{number:04d}.npz",
                attention_weights=weights,
                temporal_importance=weights.mean(axis=1).sum(axis=1),
                inputs=np.zeros((steps, 3)),
                predictions=np.zeros(1),
                **more,
            )
        return stored

    def array(self, name, array):
        """One file by its suffix."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, array)
        elif path.suffix == ".npz":
            np.savez_compressed(path, weights=array)
        else:
            save_file({"weights": np.ascontiguousarray(array)}, path)


@pytest.fixture
def folder(tmp_path):
    """An empty data folder."""
    root = tmp_path / "weights"
    root.mkdir()
    return Folder(root)
