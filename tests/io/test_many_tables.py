"""Tables that are read together, and what a job relies on while it reads."""

import polars as pl
import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.json import read_json, write_json
from attnpipe.io.many_tables import TABLES_AT_A_TIME, read_each
from attnpipe.io.parquet import read_table, rows_of, write_table
from attnpipe.io.seal import Inputs, relying_on, write_seal
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.history import HISTORY


def seal(path):
    write_seal("job", "rule", '{"a":1}', [path])


def one(folder, seed):
    """A sealed table of as many rows as its seed says."""
    folder = folder / str(seed)
    folder.mkdir()
    path = folder / "history.parquet"
    rows = [{"model": "m", "seed": seed, "epoch": e} for e in range(seed % 4)]
    write_table(path, HISTORY.frame(rows), HISTORY)
    seal(path)
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    return [one(folder, seed) for seed in range(TABLES_AT_A_TIME + 3)]


def test_each_comes_in_its_place(many):
    frames = read_each(many, HISTORY)
    assert [len(f) for f in frames] == [seed % 4 for seed in range(len(many))]
    assert all(set(f["seed"]) <= {seed} for seed, f in enumerate(frames))
    for place in (0, TABLES_AT_A_TIME - 1, TABLES_AT_A_TIME, len(many) - 1):
        assert frames[place].equals(read_table(many[place], HISTORY))
    assert read_each([], HISTORY) == []


def test_a_file_says_how_many_rows_it_has(many):
    contents = [path.read_bytes() for path in many[:8]]
    assert [rows_of(content, HISTORY) for content in contents] == [0, 1, 2, 3] * 2
    assert [rows_of(content, EVALUATION) for content in contents] == [None] * 8
    for other in (b"", b"PAR1", b"table=x schema=1 rows=3", bytes(9)):
        assert rows_of(other, HISTORY) is None


@pytest.mark.parametrize("rows", [None, 1])
def test_what_a_file_says_of_its_rows_is_not_taken_on_trust(many, monkeypatch, rows):
    monkeypatch.setattr("attnpipe.io.many_tables.rows_of", lambda *_: rows)
    assert [len(f) for f in read_each(many[:7], HISTORY)] == [0, 1, 2, 3, 0, 1, 2]


def test_tables_of_other_writers_are_read_one_by_one(many, tmp_path):
    path = tmp_path / "history.parquet"
    HISTORY.frame([{"model": "m", "seed": 7, "epoch": 0}]).write_parquet(path)
    seal(path)
    frames = read_each([*many[:4], path, *many[4:6]], HISTORY)
    assert [len(f) for f in frames] == [0, 1, 2, 3, 1, 0, 1]
    assert frames[4]["seed"].to_list() == [7]


@pytest.mark.parametrize("place", [1, TABLES_AT_A_TIME + 1])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "as Parquet"),
        (b"PAR1 nothing PAR1", "as Parquet"),
        (EVALUATION, "does not have the columns of table 'history'"),
    ],
)
def test_of_many_the_damaged_one_is_named(many, tmp_path, place, content, sentence):
    path = tmp_path / "history.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_table(path, content.frame(), content)
    seal(path)
    paths = [*many[:place], path, *many[place:]]
    with pytest.raises(UserError) as error:
        read_each(paths, HISTORY)
    assert f"'{path}'" in str(error.value)
    assert sentence in str(error.value)


def test_a_changed_one_is_named_and_not_read(many, tmp_path):
    path = one(tmp_path, 3)
    path.write_bytes(path.read_bytes()[:-1] + b"2")
    with pytest.raises(UserError, match="not what its job wrote"):
        read_each([*many[:2], path], HISTORY)


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    seal(path)
    return path


def test_what_its_producer_wrote_anew_since_a_job_began_is_refused(document):
    with relying_on(Inputs.of([document])):
        assert read_json(document) == {"x": 1}
        write_json(document, {"x": 2})
        seal(document)
        before = document.stat().st_mtime_ns
        with pytest.raises(UserError, match=r"changed while it was read; run snakemake again"):
            read_json(document)
        assert document.stat().st_mtime_ns == before, "it is what its job wrote: not touched"
    assert read_json(document) == {"x": 2}, "the next job relies on what it finds"


def test_a_fault_under_a_job_is_told_as_one(document):
    with relying_on(Inputs.of([document])):
        document.write_bytes(document.read_bytes().replace(b"1", b"2", 1))
        with pytest.raises(UserError, match="not what its job wrote"):
            read_json(document)


def test_tables_that_are_read_keep_their_columns(many):
    assert all(dict(f.schema) == HISTORY.schema for f in read_each(many[:5], HISTORY))
    assert isinstance(read_each(many[:1], HISTORY)[0], pl.DataFrame)
