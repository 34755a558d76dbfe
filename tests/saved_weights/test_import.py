"""What is imported is what was stored: every layout, any order of axes, back from disk."""

import itertools

import numpy as np
import pytest

from attnpipe.io.record import read_probe, read_records, write_probe, write_records
from attnpipe.io.seal import write_seal
from attnpipe.saved_weights.axes import CANONICAL, canonical
from attnpipe.saved_weights.discover import discover
from attnpipe.saved_weights.run import import_run

ONE_ULP = 2.0**-23


def imported(folder, model, seed, **options):
    run = import_run(folder.spec(**options), model, seed)
    assert run.outcome.reason is None
    assert run.outcome.outcome == "ok"
    return run


def record(run, checkpoint, layer=0):
    (found,) = [r for r in run.records if (r.checkpoint, r.layer) == (checkpoint, layer)]
    return found


def assert_same_rows(found, stored):
    """Equal to the stored rows divided by their sum in float64, within float32 rounding."""
    stored = np.asarray(stored, dtype=np.float64)
    expected = stored / stored.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=ONE_ULP, atol=1e-30)
    np.testing.assert_allclose(found.sum(axis=-1, dtype=np.float64), 1.0, rtol=0, atol=1e-6)


def test_profiles_become_records_of_one_row(folder):
    stored = folder.profiles("A", 42, epochs=[1, 12])
    run = imported(folder, "A", 42)
    assert [r.checkpoint for r in run.records] == ["epoch_001", "epoch_012", "test"]
    for name, checkpoint in [
        ("attention_epoch_001.npy", "epoch_001"),
        ("attention_epoch_012.npy", "epoch_012"),
        ("attention_test.npy", "test"),
    ]:
        found = record(run, checkpoint)
        assert found.weights.shape == (1, 1, 1, 50)
        assert found.weights.dtype == np.float32
        assert_same_rows(found.weights[0, 0, 0], stored[name])
        assert found.support.shape == (1, 1, 50)
        assert found.support.all()
        assert found.query_positions.tolist() == [49]
        assert found.key_positions.tolist() == list(range(50))
        assert found.samples.tolist() == [0]
        assert found.states == {}
    assert run.probe.halves.tolist() == [0]
    assert run.probe.final == "test"
    assert run.probe.averaged_over == ("sample",)
    assert run.probe.published_row == "only"
    assert run.probe.has_seeds


def test_a_published_mean_row_is_averaged_over_queries_too(folder):
    folder.profiles("A", 1)
    for row, averaged in {"mean_query": ("sample", "query"), "last_query": ("sample",)}.items():
        probe = imported(folder, "A", 1, published_row={"A": row}).probe
        assert probe.averaged_over == averaged
        assert probe.published_row == "only"


def test_mixtures_of_final_checkpoints_stay_visible_run_by_run(folder):
    folder.profiles("A", 1, epochs=[1, 2], test=True)
    folder.profiles("A", 2, epochs=[1, 2], test=False)
    folder.profiles("A", 3, epochs=[], test=True)

    def finals(policy):
        spec = folder.spec(final=policy)
        runs = [import_run(spec, "A", seed) for seed in (1, 2, 3)]
        return [run.probe.final if run.outcome.outcome == "ok" else None for run in runs]

    assert finals("auto") == ["test", "epoch_002", "test"]
    assert finals("test") == ["test", None, "test"]
    assert finals("last_epoch") == ["epoch_002", "epoch_002", None]


def test_batches_are_samples_and_know_no_seeds(folder):
    stored = folder.batches(count=3, layers=2, heads=4, steps=6)
    run = imported(folder, "import", 0, layout="batches")
    assert [(r.checkpoint, r.layer) for r in run.records] == [("test", 0), ("test", 1)]
    for layer in (0, 1):
        found = record(run, "test", layer)
        assert found.weights.shape == (4, 3, 6, 6)
        for sample, weights in enumerate(stored):
            assert_same_rows(found.weights[:, sample], weights[layer])
        assert found.query_positions.tolist() == found.key_positions.tolist() == list(range(6))
        assert found.samples.tolist() == [0, 1, 2]
    assert not run.probe.has_seeds
    assert run.probe.averaged_over == ()
    assert run.probe.halves.tolist() == [0, 1, 0]
    assert run.probe.published_row == "mean_query"


def test_batches_declared_as_means_are_averaged_over_samples(folder):
    folder.batches()
    run = imported(folder, "import", 0, layout="batches", averaged_over=["sample"])
    assert run.probe.averaged_over == ("sample",)


def test_batches_with_a_sample_axis_are_joined_along_it(folder):
    axes = ["sample", "layer", "head", "query", "key"]
    stored = [folder.rows(size, 2, 1, 4, 4) for size in (3, 3, 1)]
    for number, weights in enumerate(stored):
        np.savez(folder.root / f"attention_batch_{number}.npz", attention_weights=weights)
    run = imported(folder, "import", 0, layout="batches", axes=axes)
    assert_same_rows(record(run, "test", 1).weights[0], np.concatenate(stored)[:, 1, 0])


def test_causal_support_and_positions(folder):
    stored = folder.batches(causal=True, steps=5)
    found = record(imported(folder, "import", 0, layout="batches", causal=True), "test")
    expected = [[key <= query for key in range(5)] for query in range(5)]
    assert found.support.tolist() == [expected]
    assert_same_rows(found.weights[:, 0], stored[0][0])
    assert (found.weights[..., ~np.array(expected)] == 0).all()


def test_a_single_causal_query_is_the_newest(folder):
    folder.profiles("A", 1, keys=7)
    found = record(imported(folder, "A", 1, causal=True), "test")
    assert found.query_positions.tolist() == [6]
    assert found.support.tolist() == [[[True] * 7]]


def test_fewer_queries_than_keys_stand_at_the_first_positions(folder):
    folder.array("a.npy", folder.rows(2, 5))
    options = {"layout": "arrays", "axes": ["query", "key"], "files": {"m": {0: "a.npy"}}}
    found = record(imported(folder, "m", 0, **options), "test")
    assert found.query_positions.tolist() == [0, 1]
    assert found.support.shape == (1, 1, 5)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_every_format_and_precision_gives_the_same_rows(folder, suffix, dtype):
    stored = folder.rows(3, 4, dtype=dtype)
    folder.array(f"a{suffix}", stored)
    options = {"layout": "arrays", "axes": ["sample", "key"], "files": {"m": {5: f"a{suffix}"}}}
    run = imported(folder, "m", 5, **options)
    assert_same_rows(record(run, "test").weights[0, :, 0], stored)
    assert run.probe.averaged_over == ()
    assert run.probe.has_seeds


@pytest.mark.parametrize("dtype", ["?", "u1", "i8"])
def test_one_hot_rows_may_be_stored_as_flags_or_integers(folder, dtype):
    stored = np.eye(4, dtype=dtype)
    folder.array("a.npy", stored)
    options = {"layout": "arrays", "axes": ["query", "key"], "files": {"m": {0: "a.npy"}}}
    run = imported(folder, "m", 0, **options)
    assert record(run, "test").weights[0, 0].tolist() == np.eye(4).tolist()


@pytest.mark.parametrize("axes", list(itertools.permutations(CANONICAL)))
def test_any_order_of_axes_gives_the_same_records(folder, axes):
    sizes = {"layer": 2, "head": 3, "sample": 4, "query": 5, "key": 6}
    reference = folder.rows(*sizes.values())
    stored = reference.transpose([CANONICAL.index(axis) for axis in axes])
    assert np.shares_memory(canonical(stored, axes), reference)
    folder.array("a.npy", stored)
    options = {"layout": "arrays", "axes": list(axes), "files": {"m": {0: "a.npy"}}}
    run = imported(folder, "m", 0, **options)
    for layer in range(2):
        assert_same_rows(record(run, "test", layer).weights, reference[layer])


@pytest.mark.parametrize(
    ("axes", "averaged"),
    [
        (["key"], ("sample",)),
        (["head", "query", "key"], ("sample",)),
        (["sample", "key"], ()),
        (["layer", "head", "sample", "query", "key"], ()),
    ],
)
def test_absent_axes_have_size_one_and_absent_samples_were_averaged(folder, axes, averaged):
    sizes = {"layer": 2, "head": 3, "sample": 4, "query": 5, "key": 6}
    folder.array("a.npy", folder.rows(*(sizes[axis] for axis in axes)))
    run = imported(folder, "m", 0, layout="arrays", axes=axes, files={"m": {0: "a.npy"}})
    expected = tuple(sizes[axis] if axis in axes else 1 for axis in CANONICAL)
    assert (len(run.records), *run.records[0].weights.shape) == expected
    assert run.probe.averaged_over == averaged


def test_profiles_may_declare_more_axes(folder):
    run_folder = folder.root / "A_seed1"
    run_folder.mkdir()
    stored = folder.rows(2, 5, 5)
    np.save(run_folder / "attention_epoch_003.npy", stored)
    run = imported(folder, "A", 1, axes=["head", "query", "key"])
    assert_same_rows(record(run, "epoch_003").weights[:, 0], stored)


def test_rounding_is_divided_away_and_nothing_is_filled_in(folder):
    row = np.array([0.5, 0.5 + 8e-6, 0.0, 0.0])
    np.save(folder.root / "a.npy", row)
    options = {"layout": "arrays", "axes": ["key"], "files": {"m": {0: "a.npy"}}}
    weights = record(imported(folder, "m", 0, **options), "test").weights[0, 0, 0]
    assert_same_rows(weights, row)
    assert weights[2:].tolist() == [0.0, 0.0]


def test_files_are_left_as_they_were_and_importing_is_repeatable(folder):
    folder.profiles("A", 1)
    before = {path: path.read_bytes() for path in folder.root.rglob("*.npy")}
    first, second = imported(folder, "A", 1), imported(folder, "A", 1)
    for a, b in zip(first.records, second.records, strict=True):
        assert a.weights.tobytes() == b.weights.tobytes()
    assert before == {path: path.read_bytes() for path in folder.root.rglob("*.npy")}


def test_records_and_probe_come_back_from_disk(folder, tmp_path):
    folder.batches(causal=True)
    run = imported(folder, "import", 0, layout="batches", causal=True)
    attention, probe = tmp_path / "attention.safetensors", tmp_path / "probe.json"
    write_records(attention, run.records)
    write_probe(probe, run.probe)
    write_seal("import_weights", "import_weights", "{}", [attention, probe])
    for found, written in zip(read_records(attention), run.records, strict=True):
        assert (found.checkpoint, found.layer) == (written.checkpoint, written.layer)
        for name in ("weights", "support", "query_positions", "key_positions", "samples"):
            expected = getattr(written, name)
            np.testing.assert_array_equal(getattr(found, name), expected)
            assert getattr(found, name).dtype == expected.dtype
    found_probe = read_probe(probe)
    assert found_probe.halves.tolist() == run.probe.halves.tolist()
    assert (found_probe.final, found_probe.averaged_over) == ("test", ())
    assert (found_probe.published_row, found_probe.has_seeds) == ("mean_query", False)


def test_every_discovered_run_can_be_imported(folder):
    for prefix in ("A", "A_B"):
        for seed in (1, 2):
            folder.profiles(prefix, seed)
    for model, runs in discover(folder.spec(), folder.root).items():
        for seed in runs:
            assert len(imported(folder, model, seed).records) == 4
