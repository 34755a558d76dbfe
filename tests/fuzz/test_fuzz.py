"""Damaged files, configs and models: taken or refused in one sentence, in bounded memory and time.

What a child process tells of many inputs is printed; a failure names the number of its input,
which `tests.fuzz.targets` makes again.
"""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.studies import study_attempt
from tests.fuzz.targets import FORMATS, LIMIT, UNSEALED, target

from attnpipe.core.errors import UserError
from attnpipe.io.outside.read import read_array

ROOT = Path(__file__).parents[2]
MINUTES = 40
"""After so many a child hangs; an input that takes long ends it earlier."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def refusal(attempt):
    """Return why an input is refused; nothing if it is taken."""
    try:
        attempt()
    except UserError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("name", FORMATS)
def test_any_damage_is_a_value_or_a_user_error(folder, name):
    @given(st.integers(0, 2**32))
    @settings(deadline=None, derandomize=True, max_examples=100, database=None)
    def attempt(number):
        assert "\n" not in refusal(partial(target(name, folder).attempt, folder, number))

    attempt()


@given(st.sampled_from(["a.npy", "a.npz", "a.safetensors"]), st.binary(max_size=300))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_any_bytes_are_a_user_error(tmp_path_factory, name, content):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with pytest.raises(UserError):
        read_array(path.parent, name, limit_bytes=LIMIT)


@pytest.mark.parametrize("name", ["config", "model"])
def test_odd_configs_and_models_are_taken_or_refused(tmp_path, name):
    attempt = study_attempt(name, tmp_path)
    for number in range(10):
        assert "\n" not in refusal(partial(attempt, number))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "at_least", "megabytes"),
    [
        ("csv", 100_000, 2_000, 400),
        ("npy", 100_000, 5_000, 250),
        ("npz", 100_000, 2_000, 250),
        ("safetensors", 100_000, 5_000, 250),
        ("parquet", 100_000, 100, 300),  # behind its seal: changes that change nothing are taken
        ("hdf5", 100_000, 5_000, 250),
        ("json", 100_000, 10_000, 250),
        ("gguf", 100_000, 5_000, 900),
        ("config", 2_000, 30, 400),
        ("model", 2_000, 200, 1_000),
    ],
)
def test_many_inputs_in_bounded_memory_and_time(tmp_path, capsys, name, count, at_least, megabytes):
    """`at_least` so many are read well, so that the changes reach beyond the first checks."""
    log = tmp_path / "number"
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", name, str(count), str(log)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries tell of panics that are caught
        text=True,
        timeout=60 * MINUTES,
        check=False,
    )
    assert done.returncode == 0, f"input {log.read_text()}: {done.stdout}"
    words = done.stdout.split()
    found = dict(zip(words[1::2], map(float, words[2::2]), strict=True))
    with capsys.disabled():
        print(f"\n{done.stdout.strip()}")
    assert found["inputs"] == count
    assert found["taken"] >= at_least
    assert found["peak_mb"] < megabytes


@pytest.mark.slow
def test_polars_refuses_unsealed_tables_or_ends_the_process_for_want_of_memory(tmp_path, capsys):
    """Why Parquet is read behind seals alone: nobody can catch what some of these do."""
    count, log, start, ended = 50_000, tmp_path / "number", 0, []
    while start < count:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.run", UNSEALED, str(count), str(log), str(start)],
            cwd=ROOT, capture_output=True, text=True, timeout=60 * MINUTES, check=False,
        )  # fmt: skip
        if done.returncode != -signal.SIGABRT:
            break
        assert "memory allocation of" in done.stderr, f"input {log.read_text()}"
        ended.append(int(log.read_text().split()[0]))
        start = ended[-1] + 1
    with capsys.disabled():
        print(f"\n{UNSEALED}: {count} inputs, of which these ended the process: {ended}")
    assert done.returncode == 0, f"input {log.read_text()}: {done.stdout}"
    assert len(ended) <= count // 5_000
