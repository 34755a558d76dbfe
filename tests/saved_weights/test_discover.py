"""Models and seeds are found by whole prefixes, or named in the config."""

import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.saved_weights.checkpoints import final_checkpoint
from attnpipe.saved_weights.discover import discover


def found(folder, **options):
    return discover(folder.spec(**options), folder.root)


def refusal(folder, **options):
    with pytest.raises(UserError) as refused:
        found(folder, **options)
    return str(refused.value).replace(str(folder.root), "ROOT")


def test_a_prefix_does_not_swallow_a_longer_one(folder):
    for prefix, seeds in {"A": [7, 42], "A_B": [1], "A_seed1": [2]}.items():
        for seed in seeds:
            folder.profiles(prefix, seed)
    runs = found(folder)
    assert {model: list(of) for model, of in runs.items()} == {
        "A": [7, 42],
        "A_B": [1],
        "A_seed1": [2],
    }
    assert {run.folder for run in runs["A"].values()} == {"A_seed7", "A_seed42"}


def test_files_are_in_the_order_of_epochs_then_test(folder):
    folder.profiles("A", 1, epochs=[2, 10, 1, 1000])
    run = found(folder)["A"][1]
    assert run.checkpoints == ("epoch_001", "epoch_002", "epoch_010", "epoch_1000", "test")
    assert [path.name for path in run.paths] == [
        "attention_epoch_001.npy",
        "attention_epoch_002.npy",
        "attention_epoch_010.npy",
        "attention_epoch_1000.npy",
        "attention_test.npy",
    ]
    assert all(path.is_file() for path in run.paths)
    assert (run.label, run.seed, run.shape) == ("A", 1, (50,))


def test_unpadded_epoch_numbers_are_read_as_numbers(folder):
    run = folder.root / "A_seed1"
    run.mkdir()
    for epoch in (1, 2, 10):
        np.save(run / f"attention_epoch_{epoch}.npy", folder.rows(5))
    assert found(folder)["A"][1].checkpoints == ("epoch_001", "epoch_002", "epoch_010")


def test_names_become_safe_and_labels_stay(folder):
    folder.profiles("LSTM (64×3), simple", 1)
    assert {model: runs[1].label for model, runs in found(folder).items()} == {
        "LSTM-64-3-simple": "LSTM (64×3), simple"
    }


def test_named_prefixes_are_all_that_is_taken_in_their_order(folder):
    for prefix in ("A", "B", "C"):
        folder.profiles(prefix, 1)
    runs = found(folder, prefixes={"second": "B", "first": "A"})
    assert [(model, of[1].label) for model, of in runs.items()] == [("second", "B"), ("first", "A")]


def test_folders_without_weights_are_no_model_but_an_empty_run_of_one_is_kept(folder):
    folder.profiles("A", 1)
    (folder.root / "A_seed2").mkdir()
    (folder.root / "baseline_seed1").mkdir()
    (folder.root / "plots").mkdir()
    (folder.root / "B_seed1").write_text("a file, no folder")
    runs = found(folder)
    assert {model: list(of) for model, of in runs.items()} == {"A": [1, 2]}
    assert runs["A"][2].files == ()


def test_the_shape_of_most_runs_counts_for_all(folder):
    for seed, keys in {1: 40, 2: 50, 3: 50}.items():
        folder.profiles("A", seed, keys=keys)
    folder.profiles("B", 1, keys=20)
    (folder.root / "A_seed4").mkdir()
    runs = found(folder)
    assert {run.shape for run in runs["A"].values()} == {(50,)}
    assert runs["B"][1].shape == (20,)


def test_discovery_reads_no_more_than_headers(folder):
    folder.profiles("A", 1)
    path = folder.root / "A_seed1" / "attention_epoch_001.npy"
    path.write_bytes(b"not an npy at all")
    assert found(folder)["A"][1].shape == (50,)
    (folder.root / "A_seed1" / "attention_test.npy").write_bytes(b"nor this")
    assert found(folder)["A"][1].shape is None


@pytest.mark.parametrize(
    ("epochs", "test", "final"),
    [
        ([1, 9, 10], True, {"auto": "test", "test": "test", "last_epoch": "epoch_010"}),
        ([1, 9, 10], False, {"auto": "epoch_010", "test": None, "last_epoch": "epoch_010"}),
        ([], True, {"auto": "test", "test": "test", "last_epoch": None}),
    ],
)
def test_final_checkpoint_by_policy(folder, epochs, test, final):
    folder.profiles("A", 1, epochs=epochs, test=test)
    run = found(folder)["A"][1]
    for policy, checkpoint in final.items():
        if checkpoint is None:
            with pytest.raises(UserError, match=r"set data\.final=auto"):
                final_checkpoint(policy, run)
        else:
            assert final_checkpoint(policy, run) == checkpoint


def test_batches_are_one_run_in_the_order_of_their_numbers(folder):
    folder.batches(count=11)
    runs = found(folder, layout="batches")
    assert list(runs) == ["import"]
    run = runs["import"][0]
    assert [path.name for path in run.paths] == [
        f"attention_batch_{number:04d}.npz" for number in range(11)
    ]
    assert (run.checkpoints, run.shape) == (("test",), (2, 2, 6, 6))


def test_folders_of_batches_are_models(folder):
    for name in ("run one", "run two"):
        folder.batches(folder=name)
    runs = found(folder, layout="batches", prefixes={"one": "run one", "two": "run two"})
    assert {model: [run.folder for run in of.values()] for model, of in runs.items()} == {
        "one": ["run one"],
        "two": ["run two"],
    }


def test_arrays_are_named_in_the_config(folder):
    folder.array("a.npy", folder.rows(2, 5))
    folder.array("sub/b.safetensors", folder.rows(2, 5))
    files = {"m": {3: "sub/b.safetensors", 1: "a.npy"}}
    runs = found(folder, layout="arrays", axes=["sample", "key"], files=files)
    assert {seed: run.files[0].name for seed, run in runs["m"].items()} == {
        1: "a.npy",
        3: "sub/b.safetensors",
    }
    assert list(runs["m"]) == [1, 3]
    assert runs["m"][1].shape == (2, 5)


def profiles_a(folder):
    folder.profiles("M4_Small_Simple", 1)


def nothing(folder):
    folder.root.joinpath("A_seed1").mkdir()


def batches(folder):
    folder.batches()


def batches_in_folder(folder):
    folder.batches(folder="run1")


def twice(folder):
    folder.profiles("A", 1)
    folder.profiles("A", "01")


def large_seed(folder):
    folder.profiles("A", 2**32)


def colliding(folder):
    folder.profiles("a b", 1)
    folder.profiles("A-b", 1)


def nameless(folder):
    folder.profiles("注意", 1)


def arrays(folder):
    folder.array("weights_a.npy", folder.rows(5))


def no_folder(folder):
    folder.root.rmdir()


KEY_AXIS = {"layout": "arrays", "axes": ["key"]}


@pytest.mark.parametrize(
    ("fill", "options", "message"),
    [
        (no_folder, {}, "'ROOT' is no folder; check data.path"),
        (
            nothing,
            {},
            "'ROOT' holds no folder '<prefix>_seed<seed>' with 'attention_epoch_NNN.npy' or "
            "'attention_test.npy'; check data.path",
        ),
        (
            batches,
            {},
            "'ROOT' holds no folder '<prefix>_seed<seed>' with 'attention_epoch_NNN.npy' or "
            "'attention_test.npy' but files 'attention_batch_NNNN.npz': set data.layout=batches; "
            "check data.path",
        ),
        (
            profiles_a,
            {"prefixes": {"m4": "M4_Smal_Simple"}},
            "data.prefixes.m4: there is no prefix with saved weights 'M4_Smal_Simple': "
            "did you mean 'M4_Small_Simple'?",
        ),
        (
            profiles_a,
            {"published_row": {"M4": "mean_query"}},
            "data.published_row: there is no model 'M4': did you mean 'M4_Small_Simple'?",
        ),
        (
            twice,
            {},
            "folders 'A_seed01' and 'A_seed1' both hold seed 1; remove one of them",
        ),
        (large_seed, {}, "folder 'A_seed4294967296' has a seed above 2³² − 1; rename it"),
        (
            colliding,
            {},
            "prefixes 'A-b' and 'a b' both become 'a-b'; "
            "name the models in data.prefixes (model: prefix)",
        ),
        (
            nameless,
            {},
            "no model name can be made from the prefix '\\u6ce8\\u610f'; "
            "name the models in data.prefixes (model: prefix)",
        ),
        (
            profiles_a,
            {"layout": "batches"},
            "data.path: 'ROOT' holds no file 'attention_batch_NNNN.npz'; check data.path",
        ),
        (
            batches_in_folder,
            {"layout": "batches"},
            "data.path: 'ROOT' holds no file 'attention_batch_NNNN.npz', but its folder 'run1' "
            "does: name it in data.prefixes (model: folder); check data.path",
        ),
        (
            batches_in_folder,
            {"layout": "batches", "prefixes": {"m": "run2"}},
            "'ROOT/run2' is no folder; check data.prefixes.m",
        ),
        (
            batches_in_folder,
            {"layout": "batches", "prefixes": {"m": "../run1"}},
            "data.prefixes.m is '../run1'; give a path below data.path, without '..'",
        ),
        (
            arrays,
            KEY_AXIS | {"files": {"m": {1: "/etc/passwd"}}},
            "data.files.m.1 is '/etc/passwd'; give a path below data.path, without '..'",
        ),
        (
            arrays,
            KEY_AXIS | {"files": {"m": {1: "weights_a.pt"}}},
            "data.files.m.1 is 'weights_a.pt'; give a file that ends in one of "
            ".npy, .npz, .safetensors",
        ),
        (
            arrays,
            KEY_AXIS | {"files": {"m": {1: "weights_b.npy"}}},
            "data.files.m.1: there is no file 'weights_b.npy': did you mean 'weights_a.npy'?",
        ),
        (
            arrays,
            KEY_AXIS | {"files": {"m": {}}},
            "data.files.m is empty; give 'seed: file' or drop the model",
        ),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(folder, fill, options, message):
    fill(folder)
    assert refusal(folder, **options) == message
