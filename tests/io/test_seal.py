import json
import os
import re

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from attnpipe.core.errors import UserError
from attnpipe.core.record import LayerRecord, Probe
from attnpipe.io.json import read_json, write_json
from attnpipe.io.parquet import read_table, write_table
from attnpipe.io.record import read_probe, read_records, write_probe, write_records
from attnpipe.io.resume import ResumeFile, resume_file
from attnpipe.io.seal import Inputs, is_intact, mark, read_seal, seal_path, verify, write_seal
from attnpipe.io.tensors import read_tensors, write_tensors
from attnpipe.tables.history import HISTORY


def sealed(*paths, param='{"a":1}'):
    write_seal("job", "rule", param, list(paths))


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    sealed(path)
    return path


def test_a_sealed_document_round_trips(document):
    assert read_json(document) == {"x": 1}
    seal = read_seal(seal_path(document, "job"))
    assert (seal.rule, seal.param) == ("rule", '{"a":1}')


def edit_seal(document, **keys):
    """Replace the first digit of a value in the seal, by another if it is that one."""
    path = seal_path(document, "job")
    text = path.read_text()
    for key, digit in keys.items():
        place = re.search(rf'"{key}": "?', text).end()
        other = digit if text[place] != digit else "0"
        text = text[:place] + other + text[place + 1 :]
    path.write_text(text)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "not what its job wrote"),
        (lambda p: p.write_bytes(p.read_bytes().replace(b"1", b"2", 1)), "not what its job wrote"),
        (lambda p: p.unlink(), "is missing"),
        (lambda p: seal_path(p, "job").unlink(), "not written by a finished job"),
        (lambda p: seal_path(p, "job").write_text("{"), "not written by a finished job"),
        (lambda p: seal_path(p, "job").write_text("[" * 9999), "not written by a finished job"),
        (lambda p: edit_seal(p, mtime_ns="7"), "not written by a finished job"),
        (lambda p: edit_seal(p, sha256="f"), "not written by a finished job"),
    ],
)
def test_anything_else_in_its_place_is_noticed(document, harm, message):
    harm(document)
    with pytest.raises(UserError, match=message):
        read_json(document)


def test_a_touched_file_is_intact_and_a_changed_one_is_not(document):
    expected = mark(document)
    document.touch()
    assert is_intact(document, expected)
    document.write_text(document.read_text().replace("1", "2"))
    assert not is_intact(document, expected)
    document.unlink()
    assert not is_intact(document, expected)


def test_a_fault_of_the_disk_is_no_longer_overlooked_once_it_was_read(document):
    """Bytes that rot leave the time alone, by which a file is judged first."""
    stat, expected = document.stat(), mark(document)
    document.write_text(document.read_text().replace("1", "2"))
    os.utime(document, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert is_intact(document, expected), "the checksum is not taken of what looks the same"
    with pytest.raises(UserError, match="not what its job wrote"):
        verify(document)
    assert not is_intact(document, expected)


def test_another_schema_version_is_refused(document):
    document.write_text(json.dumps({"schema": 99}))
    sealed(document)
    with pytest.raises(UserError, match="schema version 99"):
        read_json(document)


def test_tables_round_trip_and_refuse_other_columns(tmp_path):
    path = tmp_path / "history.parquet"
    frame = HISTORY.frame([{"model": "a", "seed": 1, "epoch": 0, "train_loss": 0.5}])
    write_table(path, frame, HISTORY)
    sealed(path)
    assert read_table(path, HISTORY).equals(frame)
    pl.DataFrame({"x": [1]}).write_parquet(path)
    sealed(path)
    with pytest.raises(UserError, match="columns of table 'history'"):
        read_table(path, HISTORY)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "history.parquet"
    write_table(path, HISTORY.frame(), HISTORY)
    before = path.read_bytes()
    with pytest.raises(UserError, match="unknown column 'x'"):
        write_table(path, pl.DataFrame({"x": [1]}), HISTORY)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["history.parquet"]


def test_equal_arrays_give_equal_bytes(tmp_path):
    arrays = {"b": np.arange(6.0).reshape(2, 3).T, "a": np.ones(3, dtype=np.float32)}
    for name in ("x", "y"):
        write_tensors(tmp_path / name, arrays, {"one": 1, "two": [1, 2], "three": {"k": "v"}})
        arrays = dict(reversed(arrays.items()))
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    back, document = read_tensors(tmp_path / "x", sealed=False)
    assert document == {"one": 1, "two": [1, 2], "three": {"k": "v"}}
    assert all(np.array_equal(back[k], arrays[k]) for k in arrays)


def test_truncated_tensors_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": np.ones(1000)}, {})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"cannot read .* as safetensors"):
        read_tensors(path, sealed=False)


def record(checkpoint, layer, states=None):
    rng = np.random.default_rng(layer)
    weights = rng.dirichlet(np.ones(5), size=(2, 3, 4)).astype(np.float32)
    return LayerRecord(
        checkpoint,
        layer,
        weights=weights,
        support=np.ones((1, 1, 5), dtype=bool),
        query_positions=np.arange(4),
        key_positions=np.arange(5),
        samples=np.arange(3),
        states=states or {},
    )


def test_records_keep_order_arrays_and_states(tmp_path):
    path = tmp_path / "attention.safetensors"
    state = {"battery": {"sum": np.arange(3.0)}}
    records = [record("untrained", 0), record("epoch_001", 0), record("best", 1, state)]
    write_records(path, records)
    sealed(path)
    back = list(read_records(path))
    assert [(r.checkpoint, r.layer) for r in back] == [
        ("untrained", 0),
        ("epoch_001", 0),
        ("best", 1),
    ]
    assert np.array_equal(back[1].weights, records[1].weights)
    assert np.array_equal(back[2].states["battery"]["sum"], np.arange(3.0))
    assert [r.checkpoint for r in read_records(path, {"best"})] == ["best"]


def test_probe_round_trips(tmp_path):
    path = tmp_path / "probe.json"
    probe = Probe(np.array([0, 1, 0]), "test", ("sample",), "last_query", False)
    write_probe(path, probe)
    sealed(path)
    back = read_probe(path)
    assert np.array_equal(back.halves, probe.halves)
    assert (back.final, back.averaged_over, back.published_row, back.has_seeds) == (
        "test",
        ("sample",),
        "last_query",
        False,
    )


def test_resume_state_is_found_only_by_the_same_training(tmp_path):
    dataset = tmp_path / "study" / "data" / "x.safetensors"
    checkpoints = tmp_path / "study" / "runs" / "m" / "seed-1" / "checkpoints.safetensors"
    one = resume_file(checkpoints, "param", dataset)
    assert one.load() is None
    one.save({"a": np.ones(2)}, {"epoch": 3})
    other = resume_file(checkpoints, "changed param", dataset)
    assert other.load() is None
    arrays, document = resume_file(checkpoints, "param", dataset).load()
    assert (arrays["a"].tolist(), document) == ([1.0, 1.0], {"epoch": 3})
    other.save({"a": np.zeros(2)}, {"epoch": 1})
    assert one.load() is None, "the state of an older fingerprint is dropped"
    other.path.write_bytes(b"damaged")
    assert other.load() is None
    other.clear()
    assert not list((tmp_path / "study" / ".resume").iterdir())


STATE = (
    {"module/weight": np.ones((2, 2), "f4"), "step": np.array(3.0), "none": np.zeros((0, 2))},
    {"epoch": 3, "history": [{"train_loss": 0.5}]},
)


@pytest.fixture
def kept(tmp_path):
    file = ResumeFile(tmp_path / "m.seed-1.0.safetensors")
    file.save(*STATE)
    assert file.load()[1] == STATE[1]
    return file


def test_a_resume_state_with_any_bit_flipped_counts_as_none(kept):
    content = kept.path.read_bytes()
    for at in range(len(content)):
        for bit in (1, 32, 128):
            kept.path.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
            assert kept.load() is None, (at, bit)


@pytest.mark.parametrize("size", [0, 7, 8, 100, -8, -1])
def test_a_resume_state_cut_short_counts_as_none(kept, size):
    kept.path.write_bytes(kept.path.read_bytes()[:size])
    assert kept.load() is None


def test_a_resume_state_of_another_run_counts_as_none(kept):
    other = ResumeFile(kept.path.with_name("m.seed-2.0.safetensors"))
    kept.path.rename(other.path)
    assert other.load() is None
    assert kept.load() is None


@pytest.mark.parametrize("document", ["{", "[]", '"state"', "NaN", "[" * 100_000, '{"state": 1}'])
def test_a_resume_state_with_another_document_counts_as_none(kept, document):
    save_file(STATE[0], kept.path, metadata={"attnpipe": document})
    assert kept.load() is None


def test_a_number_format_that_numpy_lacks_counts_as_none(kept):
    as_stored, other = b'"dtype":"F32","shape":[2,2]', b'"dtype":"BF16","shape":[8] '
    assert as_stored in kept.path.read_bytes()
    kept.path.write_bytes(kept.path.read_bytes().replace(as_stored, other))
    assert kept.load() is None


@pytest.mark.parametrize("document", ["{", "[]", "[" * 100_000])
def test_arrays_with_a_damaged_document_are_named(tmp_path, document):
    path = tmp_path / "a.safetensors"
    save_file({"a": np.ones(2)}, path, metadata={"attnpipe": document})
    with pytest.raises(UserError, match=r"as safetensors \(its document is no JSON.*; delete it"):
        read_tensors(path, sealed=False)


def test_verify_names_the_cure(tmp_path):
    with pytest.raises(UserError, match="run snakemake again"):
        verify(tmp_path / "nothing")


def test_a_seal_is_one_json_object_and_covers_every_byte_of_itself(document):
    path = seal_path(document, "job")
    whole = path.read_bytes()
    assert json.loads(whole)["outputs"]["a.json"]["sha256"] == mark(document).sha256
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read_seal(path) is None, at
    path.write_bytes(whole)
    assert read_seal(path) is not None


def test_a_file_is_found_whatever_the_job_is_called_that_made_its_like(tmp_path):
    """Where the seal of the last file so named lies is only where is looked first."""
    for folder, job in (("a", "first"), ("b", "second"), ("c", "first")):
        path = tmp_path / folder / "x.json"
        write_json(path, {"in": folder})
        other = path.with_name("y.json")
        write_json(other, {})
        write_seal("first" if job == "second" else "second", "rule", "{}", [other])
        write_seal(job, "rule", "{}", [path])
    for folder in ("a", "b", "c", "b", "a"):
        assert read_json(tmp_path / folder / "x.json") == {"in": folder}
    seal_path(tmp_path / "b" / "x.json", "second").unlink()
    with pytest.raises(UserError, match="not written by a finished job"):
        read_json(tmp_path / "b" / "x.json")


def test_who_reads_an_input_finds_out_that_it_was_replaced(document):
    document.write_bytes(document.read_bytes().replace(b"1", b"2", 1))
    assert Inputs.of([document]).sealed, "of the same size: nothing is read twice"
    with pytest.raises(UserError, match="not what its job wrote"):
        read_json(document)
    document.write_bytes(document.read_bytes()[:-1])
    with pytest.raises(UserError, match="not what its job wrote"):
        Inputs.of([document])


def test_the_last_to_write_a_file_alone_vouches_for_it(tmp_path):
    """A folder of another study of the same name: other rules wrote the same files."""
    path, beside = tmp_path / "x.json", tmp_path / "y.json"
    for document in (path, beside):
        write_json(document, {})
    write_seal("beside", "rule", "{}", [beside])
    for job in ("b", "a", "c"):
        write_json(path, {"by": job})
        write_seal(job, "rule", "{}", [path])
        assert read_json(path) == {"by": job}
        assert read_json(beside) == {}
    assert sorted(p.name for p in tmp_path.glob(".*")) == [".beside.seal.json", ".c.seal.json"]
