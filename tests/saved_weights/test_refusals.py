"""What is not valid is refused by name, run by run, and the rest goes on."""

import io
import zipfile

import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.saved_weights.run import import_run

EVAL = "save the weights after the softmax and without dropout"
AGAIN = "export or copy it again"
ONE_KEY = "export all keys or declare in data.axes which axis they are"
FILE = "attention_epoch_002.npy"
NAME = f"A_seed1/{FILE}"


def profile(change):
    """A valid profile of 50 keys, changed."""
    row = np.full(50, 1 / 50)
    return change(row)


def put(row, key, value):
    row = row.copy()
    row[key] = value
    return row


BAD_FILES = {
    "sum below 1": (
        profile(lambda r: r * 0.83),
        f"has a row that sums to 0.83 instead of 1; {EVAL}",
    ),
    "sum just beyond rounding": (
        profile(lambda r: r * (1 + 2e-5)),
        f"has a row that sums to 1.00002 instead of 1; {EVAL}",
    ),
    "all zero": (np.zeros(50), f"has a row that sums to 0 instead of 1; {EVAL}"),
    "negative": (
        profile(lambda r: put(put(r, 3, -0.01), 4, 0.05)),
        f"holds the negative weight -0.01; {EVAL}",
    ),
    "NaN": (profile(lambda r: put(r, 3, np.nan)), "holds NaN; export it again"),
    "infinite": (profile(lambda r: put(r, 3, np.inf)), "holds inf; export it again"),
    "minus infinite": (profile(lambda r: put(r, 3, -np.inf)), "holds -inf; export it again"),
    "beyond float32": (profile(lambda r: put(r, 3, 1e300)), "holds inf; export it again"),
    "too short": (
        np.full(49, 1 / 49),
        "has shape (49,), while 3 of the run's 4 files have (50,); export it again or remove it",
    ),
    "too many axes": (
        np.full((1, 50), 1 / 50),
        "has shape (1, 50), which is not (key); declare in data.axes what its axes are",
    ),
    "a single key": (np.ones(1), f"has 1 key, over which every row is 1; {ONE_KEY}"),
    "no keys": (np.empty(0), f"is empty: its shape is (0,); {AGAIN}"),
    "a scalar": (
        np.array(1.0),
        "has shape (), which is not (key); declare in data.axes what its axes are",
    ),
    "objects": (
        np.array([0.5, None], dtype=object),
        "holds Python objects (dtype object), which are never loaded; save a plain float32 array",
    ),
    "too large": (
        np.full(10**6, 1e-6),
        "would take 8 MB of the 0.9998 MB left of data.max_megabytes; "
        "raise that limit or store fewer samples",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_one_bad_file_refuses_its_run_and_no_other(folder, content, message):
    folder.profiles("A", 1)
    folder.profiles("A", 2)
    np.save(folder.root / "A_seed1" / FILE, content, allow_pickle=True)
    spec = folder.spec(max_megabytes=1.0)
    refused = import_run(spec, "A", 1)
    assert refused.outcome.outcome == "refused"
    assert refused.outcome.reason == f"'{NAME}' {message}"
    assert refused.records == []
    assert len(refused.probe.halves) == 0
    assert refused.probe.averaged_over == ("sample",)
    other = import_run(spec, "A", 2)
    assert other.outcome.outcome == "ok"
    assert len(other.records) == 4


BAD_BYTES = {
    "truncated": (
        lambda valid: valid[:-8],
        f"is truncated: its header announces 200 bytes of data, 192 follow; {AGAIN}",
    ),
    "trailing": (
        lambda valid: valid + b"\0",
        f"has 1 bytes after the 200 bytes of data that its header announces; {AGAIN}",
    ),
    "no npy": (
        lambda valid: b"hello",
        "is not an npy file: it does not begin as one; save it with np.save",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD_BYTES.values(), ids=BAD_BYTES)
def test_damaged_files_refuse_their_run(folder, change, message):
    folder.profiles("A", 1)
    path = folder.root / "A_seed1" / FILE
    path.write_bytes(change(path.read_bytes()))
    assert import_run(folder.spec(), "A", 1).outcome.reason == f"'{NAME}' {message}"


def test_reasons_hold_no_absolute_path(folder):
    folder.profiles("A", 1)
    (folder.root / "A_seed1" / FILE).write_bytes(b"")
    assert str(folder.root) not in import_run(folder.spec(), "A", 1).outcome.reason


def odd_name(folder):
    (folder.root / "A_seed1" / "attention_epoch_final.npy").write_bytes(b"")


def same_epoch(folder):
    np.save(folder.root / "A_seed1" / "attention_epoch_2.npy", folder.rows(50))


def no_files(folder):
    for path in (folder.root / "A_seed1").iterdir():
        path.unlink()


def other_length(folder):
    folder.profiles("A", 1, keys=40)
    folder.profiles("A", 3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            odd_name,
            "'A_seed1/attention_epoch_final.npy' has no number where one belongs; "
            "number it or rename it",
        ),
        (
            same_epoch,
            "'A_seed1/attention_epoch_002.npy' and 'A_seed1/attention_epoch_2.npy' have the same "
            "number; remove one of them",
        ),
        (
            no_files,
            "folder 'A_seed1' holds neither 'attention_epoch_NNN.npy' nor 'attention_test.npy'; "
            "add weights or remove the folder",
        ),
        (
            other_length,
            "the files of 'A_seed1' have shape (40,), while the model's other runs have (50,); "
            "export them again or remove the run",
        ),
    ],
)
def test_a_run_that_does_not_fit_is_refused(folder, change, reason):
    folder.profiles("A", 1)
    folder.profiles("A", 2)
    change(folder)
    outcome = import_run(folder.spec(), "A", 1).outcome
    assert (outcome.outcome, outcome.reason) == ("refused", reason)
    assert import_run(folder.spec(), "A", 2).outcome.outcome == "ok"


def test_a_lone_file_of_one_key_or_none_is_refused(folder):
    axes = ["head", "query", "key"]
    shapes = {1: (2, 3, 1), 2: (2, 0, 4), 3: (2, 3, 4)}
    for seed, shape in shapes.items():
        folder.array(f"m{seed}.npy", np.full(shape, 1 / max(shape[-1], 1)))
    files = {f"m{seed}": {seed: f"m{seed}.npy"} for seed in shapes}
    spec = folder.spec(layout="arrays", axes=axes, files=files)
    outcomes = [import_run(spec, f"m{seed}", seed).outcome for seed in shapes]
    assert [(o.outcome, o.reason) for o in outcomes] == [
        ("refused", f"'m1.npy' has 1 key, over which every row is 1; {ONE_KEY}"),
        ("refused", f"'m2.npy' is empty: its shape is (2, 0, 4); {AGAIN}"),
        ("ok", None),
    ]


DECLARED = "instead of the 50 that data.keys declares; export it again or correct data.keys"


def test_declared_keys_judge_a_lone_file(folder):
    folder.profiles("A", 1, epochs=[], keys=49)
    folder.profiles("B", 1, epochs=[], keys=50)
    spec = folder.spec(keys=50)
    assert import_run(folder.spec(), "A", 1).outcome.outcome == "ok"
    assert import_run(spec, "A", 1).outcome.reason == (
        f"'A_seed1/attention_test.npy' has 49 keys {DECLARED}"
    )
    assert import_run(spec, "B", 1).outcome.outcome == "ok"


@pytest.mark.parametrize("wrong", [1, 40])
def test_runs_of_a_wrong_length_do_not_outvote_the_others(folder, wrong):
    """Without a declared number, two runs of 40 keys would refuse the one of 50."""
    for seed, keys in {1: wrong, 2: wrong, 3: 50}.items():
        folder.profiles("A", seed, epochs=[1], keys=keys)
    spec = folder.spec(keys=50)
    refused = {seed: import_run(spec, "A", seed).outcome for seed in (1, 2, 3)}
    assert [outcome.outcome for outcome in refused.values()] == ["refused", "refused", "ok"]
    assert "'A_seed2/attention_epoch_001.npy'" in refused[2].reason
    undeclared = import_run(folder.spec(), "A", 3).outcome.outcome
    assert undeclared == ("refused" if wrong == 40 else "ok")


def test_declared_keys_are_counted_along_the_declared_axis(folder):
    folder.batches(count=2, layers=1, heads=2, steps=4)
    np.savez(folder.root / "attention_batch_0001.npz", attention_weights=folder.rows(1, 2, 4, 3))
    outcome = import_run(folder.spec(layout="batches", keys=4), "import", 0).outcome
    assert outcome.reason == (
        "'attention_batch_0001.npz' has 3 keys instead of the 4 that data.keys declares; "
        "export it again or correct data.keys"
    )
    folder.array("a.npy", folder.rows(4, 5).T)
    options = {"layout": "arrays", "axes": ["key", "query"], "files": {"m": {0: "a.npy"}}}
    assert import_run(folder.spec(keys=5, **options), "m", 0).outcome.outcome == "ok"
    assert import_run(folder.spec(keys=4, **options), "m", 0).outcome.outcome == "refused"


@pytest.mark.parametrize(
    ("final", "epochs", "test", "reason"),
    [
        (
            "test",
            [1],
            False,
            "folder 'A_seed1' has no 'attention_test.npy', which data.final=test asks for; "
            "add it or set data.final=auto",
        ),
        (
            "last_epoch",
            [],
            True,
            "folder 'A_seed1' has no 'attention_epoch_NNN.npy', which data.final=last_epoch asks "
            "for; add one or set data.final=auto",
        ),
    ],
)
def test_a_run_without_the_final_weights_asked_for_is_refused(folder, final, epochs, test, reason):
    folder.profiles("A", 1, epochs=epochs, test=test)
    assert import_run(folder.spec(final=final), "A", 1).outcome.reason == reason


def matrix(row, key, value):
    weights = np.tril(np.ones((1, 2, 4, 4)))
    weights /= weights.sum(axis=-1, keepdims=True)
    weights[0, 1, row, key] = value
    return weights


BAD_BATCHES = {
    "place of a bad row": (
        {"attention_weights": matrix(2, 0, 1.0)},
        {},
        f"'attention_batch_0001.npz' has a row that sums to 1.66667 instead of 1 at head 1, "
        f"query 2; {EVAL}",
    ),
    "mass after the query": (
        {"attention_weights": np.full((1, 2, 4, 4), 0.25)},
        {"causal": True},
        "'attention_batch_0001.npz' gives 0.75 of a row to keys after the query at head 0, "
        "query 0; set data.causal=false or export causal weights",
    ),
    "no attention": (
        {"attention": matrix(0, 0, 1.0)},
        {},
        "'attention_batch_0001.npz' holds no array 'attention_weights' (data.array); "
        "did you mean 'attention'?",
    ),
    "another size": (
        {"attention_weights": np.full((1, 2, 3, 3), 1 / 3)},
        {},
        "'attention_batch_0001.npz' has shape (1, 2, 3, 3), while 2 of the run's 3 files have "
        "(1, 2, 4, 4); export it again or remove it",
    ),
    "objects": (
        {"attention_weights": np.array([None])},
        {},
        "'attention_batch_0001.npz[attention_weights]' holds Python objects (dtype object), "
        "which are never loaded; save a plain float32 array",
    ),
    "cross-attention under causal": (
        {"attention_weights": np.full((1, 2, 3, 4), 0.25)},
        {"causal": True},
        "'attention_batch_0001.npz' has 3 queries and 4 keys, so that data.causal=true cannot say "
        "which key is a query's own; export as many queries as keys or set it to false",
    ),
    "no published row of the kind": (
        {"attention_weights": matrix(0, 0, 1.0)},
        {"published_row": {"import": "only"}},
        "data.published_row.import is 'only', but the weights have 4 query rows; "
        "choose last_query or mean_query",
    ),
}


@pytest.mark.parametrize(("content", "options", "reason"), BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_bad_batches_are_refused(folder, content, options, reason):
    folder.batches(count=3, layers=1, heads=2, steps=4, causal=True)
    np.savez(folder.root / "attention_batch_0001.npz", **content)
    outcome = import_run(folder.spec(layout="batches", **options), "import", 0).outcome
    assert (outcome.outcome, outcome.reason) == ("refused", reason)


def test_a_zip_bomb_among_batches_is_refused(folder):
    folder.batches(layers=1, heads=1, steps=4)
    stream = io.BytesIO()
    np.save(stream, np.zeros((1, 1, 2000, 2000), np.float32))
    path = folder.root / "attention_batch_0002.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("attention_weights.npy", stream.getvalue())
    assert path.stat().st_size < 20_000
    spec = folder.spec(layout="batches", max_megabytes=1.0)
    assert import_run(spec, "import", 0).outcome.reason == (
        "'attention_batch_0002.npz' would take 16 MB of the 0.9999 MB left of "
        "data.max_megabytes; raise that limit or store fewer samples"
    )


def test_the_limit_holds_for_the_files_of_a_run_together(folder):
    folder.profiles("A", 1, epochs=range(10), keys=1000)  # 11 × 4 kB
    assert import_run(folder.spec(max_megabytes=0.044), "A", 1).outcome.outcome == "ok"
    assert import_run(folder.spec(max_megabytes=0.0439), "A", 1).outcome.reason == (
        "'A_seed1/attention_test.npy' would take 0.004 MB of the 0.0039 MB left of "
        "data.max_megabytes; raise that limit or store fewer samples"
    )


def test_half_precision_has_its_own_rounding(folder):
    row = np.full(50, 1 / 50)
    (folder.root / "A_seed1").mkdir()
    path = folder.root / "A_seed1" / "attention_test.npy"

    def outcome(values, **options):
        np.save(path, values)
        return import_run(folder.spec(**options), "A", 1).outcome.outcome

    assert outcome((row * 1.002).astype(np.float16)) == "ok"
    assert outcome((row * 1.01).astype(np.float16)) == "refused"
    assert outcome((row * 1.002).astype(np.float32)) == "refused"
    assert outcome((row * 1.002).astype(np.float32), tolerance=0.005) == "ok"
    assert outcome((row * 1.002).astype(np.float16), tolerance=1e-4) == "refused"


def test_rows_are_judged_beyond_the_first_chunk(folder, monkeypatch):
    monkeypatch.setattr("attnpipe.saved_weights.rows.CHUNK", 64)
    weights = folder.rows(2, 3, 5, 7, 8)
    weights[1, 2, 3, 4] *= 1.5
    folder.array("a.npy", weights)
    axes = ["layer", "head", "sample", "query", "key"]
    spec = folder.spec(layout="arrays", axes=axes, files={"m": {0: "a.npy"}})
    assert import_run(spec, "m", 0).outcome.reason == (
        "'a.npy' has a row that sums to 1.5 instead of 1 at layer 1, head 2, sample 3, query 4; "
        f"{EVAL}"
    )


def test_a_run_that_is_gone_is_an_error_of_the_study(folder):
    folder.profiles("A", 1)
    with pytest.raises(UserError, match="holds no run of 'A' with seed 2 any more"):
        import_run(folder.spec(), "A", 2)
