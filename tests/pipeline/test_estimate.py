"""What is foretold of attention is what extraction finds, so that both judge the limit alike."""

from pathlib import Path

import numpy as np
import pytest
import torch

from attnpipe.attention.hooks import observing
from attnpipe.extraction.recorder import Elements
from attnpipe.models.build import build_model
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.estimate import (
    AttentionShape,
    kept_checkpoints,
    saved_attention,
    stores_states,
    trained_attention,
)
from attnpipe.saved_weights.discover import discover
from attnpipe.schema.data import SavedWeightsData

CONFIG = Path(__file__).parents[2] / "config"


def elements(model, features, window, *, tokens):
    """Attention weights of one sample over all layers, counted while the model reads it."""
    shape = (1, window) if tokens else (1, window, features)
    counter, module = Elements(), build_model(model, features, window, seed=0)
    with observing(counter), torch.inference_mode():
        module(torch.zeros(shape, dtype=torch.int64 if tokens else torch.float32))
    return sum(counter.per_layer.values())


@pytest.mark.parametrize("study", ["geomagnetic", "steering", "induction", "ground_truth"])
def test_every_kind_of_attention_has_the_size_that_was_foretold(study):
    loaded = load_study(CONFIG, {"study": study})
    spec, seen = loaded.spec, 0
    for name, model in spec.models.items():
        shape = trained_attention(spec, name)
        found = elements(
            model, loaded.facts.features, spec.data.window, tokens=study == "induction"
        )
        assert (shape is not None) == (found > 0) == loaded.has_attention(name)
        if shape is not None:
            assert shape.samples == spec.data.probe_samples
            assert shape.heads * shape.queries * shape.keys == found
            kept = kept_checkpoints(spec.training) + 1  # and the last on shuffled inputs
            assert shape.bytes == kept * spec.data.probe_samples * found * 4
            seen += 1
    assert seen


def test_states_are_stored_from_the_first_byte_above_the_limit():
    exact = 23 * 128 * 50 * 50 * 4 / 1e6  # checkpoints, samples, queries, keys, bytes
    for megabytes, states in ((exact, False), (exact - 1e-6, True)):
        override = f"analysis.capture.max_megabytes={megabytes!r}"
        spec = load_study(CONFIG, {"overrides": override}).spec
        assert stores_states(spec, "lstm_medium_additive") is states
        assert not stores_states(spec, "lstm_small_simple")  # one row
        assert not stores_states(spec, "mlp_last")  # none


def of_saved(**data):
    """What is foretold of the run with seed 1 of the only model."""
    spec = SavedWeightsData.model_validate({"kind": "saved_weights", "name": "m"} | data)
    (runs,) = discover(spec, Path(spec.path)).values()
    return saved_attention(spec, runs[min(runs)])


def test_headers_of_saved_profiles_tell_their_size(tmp_path):
    run = tmp_path / "A_seed1"
    run.mkdir()
    for name in ("epoch_001", "epoch_002", "test"):
        np.save(run / f"attention_{name}.npy", np.full(50, 0.02))
    assert of_saved(path=str(tmp_path)) == AttentionShape(3, 1, 1, 1, 50)


def test_headers_of_saved_batches_tell_how_many_samples_they_are(tmp_path):
    for number in range(4):
        weights = np.full((2, 3, 6, 6), 1 / 6, dtype=np.float32)
        np.savez(tmp_path / f"attention_batch_{number:04d}.npz", attention_weights=weights)
    found = of_saved(path=str(tmp_path), layout="batches")
    assert found == AttentionShape(checkpoints=1, heads=6, samples=4, queries=6, keys=6)
    assert found.bytes == 4 * weights.nbytes


def test_headers_of_saved_arrays_tell_their_axes_and_a_broken_file_counts_nothing(tmp_path):
    np.save(tmp_path / "a.npy", np.full((5, 7, 2, 3), 1 / 3))
    options = {"layout": "arrays", "axes": ["sample", "query", "head", "key"]}
    options |= {"path": str(tmp_path), "files": {"m": {"1": "a.npy"}}}
    assert of_saved(**options) == AttentionShape(1, 2, 5, 7, 3)
    (tmp_path / "a.npy").write_bytes(b"no array")
    assert of_saved(**options) is None
