"""One controller per study, whatever else is in the queue."""

import os
import subprocess
import sys

import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline.controller import LOCK, claim, job_prefix

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


@pytest.mark.parametrize("submits", [True, False])
def test_a_queue_that_does_not_answer_stops_only_who_would_submit(tmp_path, monkeypatch, submits):
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\necho 'Unable to contact the controller' >&2\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    if not submits:
        claim("mine", tmp_path, submits)
        return
    with pytest.raises(UserError, match=r"squeue does not say .* \(Unable to contact"):
        claim("mine", tmp_path, submits)


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
