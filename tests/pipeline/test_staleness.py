"""Why a job is out of date is said in a few words, however much its param holds."""

import json

import pytest

from attnpipe.io.json import write_json
from attnpipe.io.seal import Inputs, Seal, mark, seal_path, write_seal
from attnpipe.pipeline import staleness
from attnpipe.pipeline.plan import Job
from attnpipe.pipeline.staleness import is_finished, stale_jobs

PAIRS = [[f"lstm_{size}", seed] for size in ("small", "medium") for seed in range(20)]
TEXT = "Answer like a pirate, and do not forget the parrot on your shoulder, please."

CHANGES = [
    ({"seeds": [7, 42]}, {"seeds": [7]}, "seeds: [7, 42] → [7]"),
    (
        {"runs": PAIRS},
        {"runs": PAIRS[20:]},
        'runs: 20 removed, e.g. ["lstm_small", 0]',
    ),
    (
        {"runs": PAIRS[:30]},
        {"runs": PAIRS[10:]},
        'runs: 10 removed, e.g. ["lstm_small", 0]; 10 added, e.g. ["lstm_medium", 10]',
    ),
    ({"runs": PAIRS}, {"runs": PAIRS[::-1]}, "runs: in another order"),
    (
        {"baselines": {"large": None, "mlp": None, "pool": "mlp"}},
        {"baselines": {"large": None, "pool": "mlp", "tiny": None}},
        'baselines: 1 removed, e.g. "mlp"; 1 added, e.g. "tiny"',
    ),
    ({"units": {"x": None}}, {"units": {"x": None, "y": "nT"}}, 'units.y: null → "nT"'),
    ({"a": {"text": "x"}}, {"a": {"text": TEXT}}, f'a.text: "x" → "{TEXT[:59]}…'),
    (
        {"provenance": {"config_sha256": "b46c"}, "fingerprint": "1"},
        {"provenance": {"config_sha256": "5a9c"}, "fingerprint": "2"},
        "another part of the config changed, which findings name by its checksum",
    ),
    ({"fingerprint": "1"}, {"fingerprint": "2"}, "its source code or a library version changed"),
]


@pytest.mark.parametrize(("old", "new", "says"), CHANGES)
def test_what_changed_is_told_in_short(tmp_path, monkeypatch, old, new, says):
    (tmp_path / "out").write_text("")
    seal = Seal("diagnose", json.dumps(old), {}, Inputs({}, {}), None)
    monkeypatch.setattr(staleness, "read_seal", lambda _: seal)
    (found,) = stale_jobs([Job("diagnose", {}, (), ("out",), json.dumps(new))], tmp_path)
    assert found.reason == says


def test_a_job_whose_producer_wrote_something_else_since_is_not_finished(tmp_path):
    read, made = tmp_path / "a" / "read.json", tmp_path / "b" / "made.json"
    write_json(read, {"x": 1})
    write_seal("first", "rule", "{}", [read])
    write_json(made, {})
    write_seal("second", "rule", "{}", [made], Inputs({"a/read.json": mark(read).sha256}))
    job = Job("second", {}, ("a/read.json",), ("b/made.json",), "{}")
    assert is_finished(job, tmp_path)
    write_json(read, {"x": 2})
    write_seal("first", "rule", "{}", [read])
    assert not is_finished(job, tmp_path)
    seal_path(read, "first").unlink()
    assert not is_finished(job, tmp_path)
