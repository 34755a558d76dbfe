"""What can befall a study from outside: one sentence, nothing lost, the same command goes on."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from killing import assert_same_results, end, jobs_of

RESULTS = "results/tiny"
SMALL = "~models.base ~models.pool seeds=[1] figure.show={forest:{}}"


def said(done):
    """Return the sentences of the project; nothing else may look like a failure of code."""
    text = done.stderr + done.stdout
    assert "Traceback" not in text, text[-4000:]
    return [line for line in text.splitlines() if line.startswith("attnpipe: ")]


def start(project, overrides=""):
    """Start Snakemake in a session of its own, as a terminal does."""
    return subprocess.Popen(
        project.command(overrides=overrides),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def remove(project, *parts):
    for part in parts:
        shutil.rmtree(project.folder / RESULTS / part)


# ------------------------------------------------------------------------------- the disk


def in_mounts(project, script):
    """Run a shell script whose mounts nobody else sees; `$RUN` is the study's command."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount: the fault cannot be made here")
    run = " ".join(f"'{word}'" for word in project.command(overrides=f"name=tiny {SMALL}"))
    return subprocess.run(
        ["unshare", "-rm", "bash", "-c", script],
        cwd=project.folder,
        env=project.environment() | {"RUN": run},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


FULL = """
mount -t tmpfs -o size=200k none results
eval "$RUN" && exit 3
find results -name '.*.tmp' | grep . && exit 4
mount -o remount,size=64m none results || exit 5
echo "room is made" >&2
eval "$RUN" || exit 6
cp -a results kept
"""


def test_a_full_disk_is_named_and_room_is_all_it_takes(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    shutil.rmtree(project.folder / "results")
    (project.folder / "results").mkdir()
    done = in_mounts(project, FULL)
    assert done.returncode == 0, (done.returncode, done.stderr[-4000:])
    full, _, room = done.stderr.partition("room is made")
    sentence = r"attnpipe: .*: No space left on device.*; free space or change perm"
    assert re.search(sentence, full), full[-4000:]
    assert "Traceback" not in done.stderr
    assert "attnpipe:" not in room


READ_ONLY = """
mount --bind results results && mount -o remount,ro,bind results || exit 5
eval "$RUN" && exit 3
exit 0
"""


@pytest.mark.parametrize("stored", [True, False])
def test_results_that_cannot_be_written_are_named(project, stored):
    """Snakemake itself names files that are there and cannot be replaced."""
    if not stored:
        shutil.rmtree(project.folder / "results")
        (project.folder / "results").mkdir()
    done = in_mounts(project, READ_ONLY)
    assert done.returncode == 0, done.stderr[-4000:]
    assert not [*project.folder.glob(".snakemake/locks/*")], "the same command goes on"
    sentences = "".join(said(done))
    assert ".controller': Read-only file system; free space or change perm" in sentences


# -------------------------------------------------------------------------------- the clock


def date_everything(project, seconds):
    """Shift the time of every result and note, as if the clock had been set back since."""
    for top in ("results", ".snakemake"):
        for path in (project.folder / top).rglob("*"):
            stat = path.stat()
            shift = seconds * 10**9
            os.utime(path, ns=(stat.st_atime_ns + shift, stat.st_mtime_ns + shift))


def test_a_clock_that_was_set_back_hides_no_change(project):
    date_everything(project, 86400)
    assert project.plan() == []
    series = project.folder / "series.csv"
    before = series.read_text()
    series.write_text(before.replace("0.1", "0.2"))
    assert "prepare_data csv" in project.plan()
    assert "train pool 1" in project.plan()
    series.write_text(before)
    assert project.plan() == []


def test_consumers_that_look_newer_than_what_they_read_run_again(project):
    overrides = "models.mlp.hidden=[6] seeds=[1]"
    project.run("--until", "train", overrides=overrides)
    for path in (project.folder / RESULTS / "aggregate").rglob("*"):
        os.utime(path, (time.time() + 86400,) * 2)
    shutil.rmtree(project.folder / ".snakemake")  # its notes of what was read
    assert "aggregate mlp" in project.plan(overrides)


# ------------------------------------------------------------------------- people and hands


HELD = """
import sys, time
from pathlib import Path
if any(part.endswith(".train.py") for part in sys.orig_argv):
    import attnpipe.pipeline.job as job
    def held(paths, look=job.Inputs.of):
        Path("begun").touch()
        while Path("held").exists():
            time.sleep(0.05)
        return look(paths)
    job.Inputs.of = held
"""


@pytest.fixture
def held(project):
    """A project whose next trainings wait, and do not end before they are let go."""
    remove(project, "runs/pool/seed-1", "report")
    (project.folder / "fake").mkdir()
    (project.folder / "fake" / "sitecustomize.py").write_text(HELD)
    (project.folder / "held").touch()
    project.extra_path.append(str(project.folder / "fake"))
    return project


def wait_for_job(project, running, seconds=60):
    deadline = time.monotonic() + seconds
    while not (project.folder / "begun").exists():
        assert time.monotonic() < deadline, "no job began"
        assert running.poll() is None, running.communicate()[0][-4000:]
        time.sleep(0.02)


def test_a_second_user_is_refused_and_the_first_is_not_disturbed(held, finished):
    with start(held) as first:
        try:
            wait_for_job(held, first)
            second = held.snakemake()
            (held.folder / "held").unlink()
            output, _ = first.communicate(timeout=300)
        finally:
            end(first)
    assert second.returncode != 0
    assert "is being run by process" in second.stderr
    said(second)
    assert first.returncode == 0, output[-4000:]
    assert_same_results(held.folder / RESULTS, finished.folder / RESULTS)


SLOW = pytest.mark.slow


def interrupted(held, times: int) -> str:
    """Press Ctrl-C while a job runs; return what was printed, the sentence among it."""
    with start(held) as running:
        try:
            wait_for_job(held, running)
            for _ in range(times):
                os.killpg(running.pid, signal.SIGINT)
                time.sleep(0.2)
            output, _ = running.communicate(timeout=60)
        finally:
            end(running)
    assert running.returncode != 0
    assert "train pool 1: stopped; run the same command again to go on" in output
    assert "Traceback" not in output, output[-4000:]
    return output


@pytest.mark.parametrize("times", [2, *(pytest.param(n, marks=SLOW) for n in (1, 3))])
def test_ctrl_c_stops_and_the_same_command_goes_on(held, finished, times):
    interrupted(held, times)
    (held.folder / "held").unlink()
    held.run()
    assert_same_results(held.folder / RESULTS, finished.folder / RESULTS)


STARTING = """
import sys, time
from pathlib import Path
if any(part.endswith(".train.py") for part in sys.orig_argv):
    Path("begun").touch()
    time.sleep(2)
"""


def test_ctrl_c_while_a_job_still_starts_is_the_same_sentence(held, finished):
    """Before it has imported anything, its own handlers are not there yet."""
    (held.folder / "fake" / "sitecustomize.py").write_text(STARTING)
    output = interrupted(held, times=1)
    assert "SIGINT" not in output, output[-4000:]
    (held.folder / "fake" / "sitecustomize.py").unlink()
    held.run()
    assert_same_results(held.folder / RESULTS, finished.folder / RESULTS)


def test_a_job_without_snakemake_ends_itself(held):
    """Left alone it would go on and write beside its successor."""
    with start(held) as running:
        try:
            wait_for_job(held, running)
            (job,) = jobs_of(running).values()
            running.kill()
            job.wait(timeout=10)
        finally:
            end(running)


def test_data_that_change_while_they_are_read_are_not_taken(project):
    """The file is replaced when the job has read it, before it seals what it made of it."""
    script = project.folder / "workflow/scripts/prepare_data.py"
    script.write_text(script.read_text() + "    ctx.read.files.write_text('a,b\\n1,2\\n')\n")
    series = project.folder / "series.csv"
    before = series.read_text()
    done = project.snakemake("--until", "prepare_data")
    assert done.returncode != 0
    assert "'series.csv' changed while it was read; run snakemake again" in "".join(said(done))
    series.write_text(before)
    assert "prepare_data csv" in project.plan()
