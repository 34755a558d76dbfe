"""What was read once is known as long as nothing about it changes."""

import os

import pytest

from attnpipe.io.seal import mark
from attnpipe.pipeline import checked as module
from attnpipe.pipeline.checked import Checked


@pytest.fixture
def read(monkeypatch):
    """Names of the files that were read whole."""
    names = []
    hash_of = module.sha256
    monkeypatch.setattr(module, "sha256", lambda path: names.append(path) or hash_of(path))
    return names


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files count as settled at once."""
    monkeypatch.setattr(module, "SETTLED_NS", -1)


@pytest.fixture
def touched(tmp_path):
    """A file of a job, and the mark that its seal has: Snakemake has touched it since."""
    path = tmp_path / "out.bin"
    path.write_bytes(b"result")
    expected = mark(path)
    os.utime(path, ns=(0, expected.mtime_ns + 10**9))
    return str(path), expected


@pytest.fixture
def check(tmp_path):
    """One invocation: looks at a file, and keeps what it found."""

    def invocation(path, expected, whole=True):
        known = Checked.of(tmp_path, "any")
        found = known.is_intact(path, expected)
        known.keep(whole)
        return found

    return invocation


def test_a_touched_file_is_read_once(touched, check, read):
    assert [check(*touched) for _ in range(3)] == [True] * 3
    assert read == [touched[0]]


def test_one_that_nobody_touched_is_not_read(tmp_path, check, read):
    path = tmp_path / "out.bin"
    path.write_bytes(b"result")
    assert check(str(path), mark(path))
    assert read == []


def wait_for_the_clock(folder, since):
    """File systems note times in steps of some milliseconds."""
    while (folder / "tick").touch() or (folder / "tick").stat().st_ctime_ns == since:
        pass


@pytest.mark.parametrize("back", [False, True])
def test_a_flipped_byte_is_seen_even_where_the_time_is_set_back(touched, check, tmp_path, back):
    path, expected = touched
    assert check(path, expected)
    before = os.stat(path)
    wait_for_the_clock(tmp_path, before.st_ctime_ns)
    with open(path, "r+b") as file:
        file.write(b"R")
    if back:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not check(path, expected)


def test_another_file_in_its_place_is_seen(touched, check, tmp_path):
    path, expected = touched
    assert check(path, expected)
    other = tmp_path / "other.bin"
    other.write_bytes(b"RESULT")
    os.utime(other, ns=(0, os.stat(path).st_mtime_ns))
    os.replace(other, path)
    assert not check(path, expected)


def test_another_mark_of_the_same_file_is_seen(touched, check):
    path, expected = touched
    assert check(path, expected)
    wanted = type(expected)(expected.size, expected.mtime_ns, "0" * 64)
    assert not check(path, wanted)


def test_a_missing_file_and_one_of_another_size_are_not_intact(touched, check, tmp_path):
    path, expected = touched
    assert not check(str(tmp_path / "absent"), expected)
    with open(path, "ab") as file:
        file.write(b"!")
    assert not check(path, expected)


def test_who_asks_for_a_part_does_not_forget_the_rest(touched, check, tmp_path, read):
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    second = mark(other)
    os.utime(other, ns=(0, second.mtime_ns + 10**9))
    assert check(*touched)
    assert check(str(other), second, whole=False)
    assert check(*touched)
    assert read == [touched[0], str(other)]


def test_where_nothing_can_be_kept_files_are_read_each_time(touched, read):
    for _ in range(2):
        known = Checked()
        assert known.is_intact(*touched)
        known.keep(whole=True)
    assert len(read) == 2


def test_what_changed_a_moment_ago_is_read_again(touched, check, read, monkeypatch):
    monkeypatch.setattr(module, "SETTLED_NS", 3_600 * 10**9)
    assert [check(*touched) for _ in range(2)] == [True] * 2
    assert len(read) == 2
