"""One controller per study, whatever else is in the queue."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline.controller import LOCK, check_names, claim, job_prefix
from attnpipe.saved_weights.files import RunFiles, StoredFile

HOLD = """
import sys, time
from pathlib import Path
from attnpipe.pipeline.controller import claim
claim("mine", Path(sys.argv[1]), submits=False)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has claimed the study."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_study_has_one_controller_until_that_is_gone(holder, tmp_path):
    with pytest.raises(UserError, match=f"'mine' is being run by process {holder.pid} on "):
        claim("mine", tmp_path, submits=False)
    claim("other", tmp_path, submits=False)
    holder.kill()
    holder.wait()
    claim("mine", tmp_path, submits=False)
    owner = (tmp_path / "results" / "mine" / LOCK).read_text()
    assert owner.startswith(f"process {os.getpid()} on ")


def test_results_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"cannot write '.*results/mine/\.controller'"):
        claim("mine", tmp_path, submits=False)


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Put a `squeue` of these lines before any other."""

    def put(*lines):
        program = tmp_path / "bin" / "squeue"
        program.parent.mkdir()
        program.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return put


@pytest.mark.parametrize("submits", [True, False])
def test_a_queue_that_does_not_answer_stops_only_who_would_submit(tmp_path, squeue, submits):
    squeue("echo 'Unable to contact the controller' >&2", "exit 1")
    if not submits:
        claim("mine", tmp_path, submits)
        return
    with pytest.raises(UserError, match=r"squeue does not say .* \(Unable to contact"):
        claim("mine", tmp_path, submits)


@pytest.mark.parametrize("submits", [True, False])
def test_jobs_of_an_earlier_controller_stop_the_next_whatever_that_does(tmp_path, squeue, submits):
    name = f"{job_prefix('mine', tmp_path)}_0123"
    squeue(
        "cat <<END",
        *(f"{state}|{name}" for state in ("RUNNING", "PENDING", "RUNNING")),
        f"RUNNING|{job_prefix('other', tmp_path)}_4567",
        f"RUNNING|{job_prefix('mine', tmp_path / 'elsewhere')}_89ab",
        "RUNNING|bash",
        "END",
    )
    with pytest.raises(UserError) as caught:
        claim("mine", tmp_path, submits)
    assert str(caught.value) == (
        "jobs of study 'mine' that an earlier controller submitted are still in the queue "
        f"(1 pending, 2 running): wait until `squeue --name={name}` shows none, or cancel them "
        f"with `scancel --name={name}`; then run the same command again"
    )


def test_jobs_of_others_stop_nobody(tmp_path, squeue):
    squeue(f"echo 'RUNNING|{job_prefix('other', tmp_path)}_4567'")
    claim("mine", tmp_path, submits=True)


@pytest.mark.parametrize("name", ["it's.npz", "a $(>ran).npz", "a`b`.npz", 'a".npz', "a\\b.npz"])
def test_saved_weights_that_a_shell_would_not_take_as_they_are_do_not_go_to_a_cluster(name):
    files = [RunFiles(Path("of mine"), ".", "a", 1, (StoredFile("test", n),)) for n in ("b", name)]
    check_names({"a": {1: files[0]}})
    with pytest.raises(UserError, match=r"cannot be given to jobs on a cluster: .* rename it"):
        check_names({"a": dict(enumerate(files))})


def test_names_of_jobs_belong_to_one_study_in_one_place(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        (folder / "results").mkdir(parents=True)
    assert job_prefix("a", here) == job_prefix("a", here)
    assert len({job_prefix("a", here), job_prefix("b", here), job_prefix("a", there)}) == 3
    assert len(job_prefix("x" * 64, here)) <= 50  # what the plugin takes


def test_results_that_are_shared_have_the_same_names(tmp_path):
    (tmp_path / "a" / "results").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "results").symlink_to(tmp_path / "a" / "results")
    assert job_prefix("s", tmp_path / "a") == job_prefix("s", tmp_path / "b")
