"""A training killed in the middle goes on from its last epoch, to the same bytes."""

import os
import signal
import subprocess
import time

LONG = "seeds=[1] training.epochs=80 training.capture_every=40 ~models.mlp ~models.base "
LONG += "models.pool.attention=null models.pool.baseline=null "


def test_a_killed_training_resumes_bitwise(project):
    states = project.folder / "results" / "killed" / ".resume"
    running = subprocess.Popen(
        project.command("--until", "train", overrides=f"{LONG} name=killed"),
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
    run = project.folder / "results" / "killed" / "runs" / "pool" / "seed-1"
    assert list(states.glob("*.safetensors")), "it was killed between two epochs"
    assert not (run / "outcome.json").exists()

    project.snakemake("--unlock", overrides=f"{LONG} name=killed")
    project.run("--until", "train", overrides=f"{LONG} name=killed")
    project.run("--until", "train", overrides=f"{LONG} name=whole")
    whole = project.folder / "results" / "whole" / "runs" / "pool" / "seed-1"
    for name in ("checkpoints.safetensors", "history.parquet", "outcome.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert list(states.iterdir()) == [], "the state is removed at success"
