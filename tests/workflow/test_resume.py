"""A training killed in the middle goes on from its last epoch, to the same bytes."""

import os
import re
import signal
import subprocess
import time

from safetensors.numpy import load_file

LONG = "seeds=[1] training.epochs=80 training.capture_every=40"


def run_of(name):
    """Return where the run of the model with attention lies, from the project's folder."""
    return f"results/{name}/runs/pool/seed-1"


def target(name):
    """Return a target that trains that run alone."""
    return f"{run_of(name)}/checkpoints.safetensors"


def test_a_killed_training_resumes_bitwise(project):
    states = project.folder / "results" / "killed" / ".resume"
    running = subprocess.Popen(
        project.command(target("killed"), overrides=f"{LONG} name=killed"),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(states.glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    run = project.folder / run_of("killed")
    assert list(states.glob("*.safetensors")), "it was killed between two epochs"
    assert not (run / "outcome.json").exists()

    project.snakemake("--unlock", overrides=f"{LONG} name=killed")
    said = {
        name: project.run(target(name), overrides=f"{LONG} name={name}")
        for name in ("killed", "whole")
    }
    went_on = re.search(r"pool 1: goes on after epoch (\d+) of 80", said["killed"])
    assert went_on is not None
    assert int(went_on[1]) >= 1
    assert "goes on after" not in said["whole"]
    whole = project.folder / run_of("whole")
    assert "epoch_040/attention.vector.weight" in load_file(run / "checkpoints.safetensors")
    for name in (
        "checkpoints.safetensors", "history.parquet", "evaluation.parquet", "outcome.json",
    ):  # fmt: skip
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert list(states.iterdir()) == [], "the state is removed at success"
