"""The description of a folder: what a reader must know, and nothing of this machine."""

import hashlib
import json

from attnpipe.saved_weights.describe import describe
from attnpipe.saved_weights.discover import discover


def digests(folder, spec):
    runs = discover(spec, folder.root).values()
    paths = [path for seeds in runs for run in seeds.values() for path in run.paths]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_profiles_are_described_with_models_and_checksums(folder):
    folder.profiles("A", 2, epochs=[1])
    folder.profiles("A", 1, epochs=[], test=True)
    folder.profiles("B (x)", 1, epochs=[1])
    spec = folder.spec(published_row={"B-x": "mean_query"})
    described = describe(spec, digests(folder, spec))
    assert described["models"] == {
        "A": {"label": "A", "averaged_over": ["sample"], "seeds": [1, 2]},
        "B-x": {"label": "B (x)", "averaged_over": ["sample", "query"], "seeds": [1]},
    }
    assert [file["name"] for file in described["files"]] == [
        "A_seed1/attention_test.npy",
        "A_seed2/attention_epoch_001.npy",
        "A_seed2/attention_test.npy",
        "B (x)_seed1/attention_epoch_001.npy",
        "B (x)_seed1/attention_test.npy",
    ]
    content = (folder.root / "A_seed1" / "attention_test.npy").read_bytes()
    assert described["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (described["window"], described["axes"]) == (50, ["key"])
    assert described["source"] == {"layout": "profiles", "folder": "weights"}
    assert str(folder.root) not in json.dumps(described, allow_nan=False)


def test_batches_have_no_seeds_and_their_window(folder):
    folder.batches(steps=6)
    spec = folder.spec(layout="batches")
    described = describe(spec, digests(folder, spec))
    assert described["models"]["import"] == {"label": "import", "averaged_over": [], "seeds": []}
    assert described["window"] == 6


def test_models_of_different_lengths_have_no_common_window(folder):
    folder.profiles("A", 1, keys=50)
    folder.profiles("B", 1, keys=40)
    spec = folder.spec()
    assert describe(spec, digests(folder, spec))["window"] == 0
