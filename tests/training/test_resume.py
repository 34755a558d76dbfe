"""An interrupted and resumed training equals an uninterrupted one, bit for bit."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.resume import ResumeFile
from attnpipe.training.resume import ResumeStore
from attnpipe.training.run import train

KINDS = {
    "mlp": {},
    "lstm": {"dropout": 0.3},
    "simple": {"dropout": 0.3},
    "additive": {},
    "scaled_dot": {},
}
SCHEDULES = {
    "clipped": {},
    "all windows, few kept": {"windows_per_epoch": None, "capture_every": 3},
    "stalling, adamw": {"learning_rate": 0.2, "optimizer": "adamw", "weight_decay": 0.1},
    "cosine": {"schedule": "cosine", "warmup_steps": 7, "decay_steps": 30},
}


@pytest.mark.parametrize(
    ("kind", "schedule"),
    [*((k, "clipped") for k in KINDS), *(("lstm", s) for s in SCHEDULES if s != "clipped")],
)
def test_resumed_after_any_epoch_equals_uninterrupted(
    make_dataset, make_model, make_training, memory_store, same_bits, kind: str, schedule: str
) -> None:
    arguments = (
        make_dataset(),
        make_model(kind, **KINDS[kind]),
        make_training(**SCHEDULES[schedule]),
        7,
    )
    whole = train(*arguments, name="m")
    for fail_at in (1, 2, 4):
        store = memory_store(fail_at)
        with pytest.raises(OSError, match="disk full"):
            train(*arguments, name="m", resume=store)
        assert (store.kept is None) == (fail_at == 1)
        store.fail_at = None
        rows = []
        resumed = train(*arguments, name="m", resume=store, progress=rows.append)
        assert [row["epoch"] for row in rows] == list(range(fail_at, 5))
        assert same_bits(whole, resumed)


def test_a_full_disk_fails_the_job_and_is_no_outcome(
    make_dataset, make_model, make_training, same_bits, full_disk, tmp_path: Path
) -> None:
    """It may have room again with the next command, which goes on."""
    store = ResumeFile(tmp_path / "m.seed-7.0.safetensors")
    arguments = (make_dataset(), make_model(), make_training(), 7)
    with full_disk(512), pytest.raises(UserError, match=r"cannot write .*: File too large"):
        train(*arguments, name="m", resume=store)
    assert same_bits(train(*arguments, name="m"), train(*arguments, name="m", resume=store))


def test_finished_training_is_not_repeated_until_its_store_is_cleared(
    make_dataset, make_model, make_training, memory_store, same_bits
) -> None:
    store = memory_store()
    assert isinstance(store, ResumeStore)
    rows = []

    def run():
        return train(
            make_dataset(),
            make_model(),
            make_training(),
            7,
            name="m",
            resume=store,
            progress=rows.append,
        )

    first, second = run(), run()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert same_bits(first, second)
    store.clear()
    run()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4] * 2


def test_divergence_after_a_resume_is_the_same_divergence(
    make_dataset, make_model, make_training, memory_store, same_bits
) -> None:
    data = make_dataset()
    data.target[data.splits["train"][::100]] = 3e38
    arguments = (data, make_model(), make_training(windows_per_epoch=64, epochs=6), 3)
    whole = train(*arguments, name="m")
    assert whole.outcome.outcome == "diverged"
    store = memory_store(fail_at=2)
    if whole.history["epoch"][-1] > 2:
        with pytest.raises(OSError, match="disk full"):
            train(*arguments, name="m", resume=store)
    store.fail_at = None
    assert same_bits(whole, train(*arguments, name="m", resume=store))


def test_state_of_another_model_is_refused(
    make_dataset, make_model, make_training, memory_store
) -> None:
    store = memory_store()
    train(make_dataset(), make_model("mlp"), make_training(), 7, name="m", resume=store)
    for other in (make_model("lstm"), make_model("mlp", hidden=[5])):
        with pytest.raises(UserError, match=r"does not fit this model .*: delete it to train"):
            train(make_dataset(), other, make_training(), 7, name="m", resume=store)


KILLED = """
import importlib.util, os, signal, sys
from pathlib import Path

def load(path):
    spec = importlib.util.spec_from_file_location("helpers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

root, here, state = load(sys.argv[1]), load(sys.argv[2]), Path(sys.argv[3])
from attnpipe.io.resume import ResumeFile
from attnpipe.training.run import train

def progress(row):
    if row["epoch"] == 3:  # trained, validated, but not yet saved
        os.kill(os.getpid(), signal.SIGKILL)

model = here.small_model("additive", dropout=0.3)
train(root.small_dataset(), model, here.small_training(), 7, name="m",
      resume=ResumeFile(state), progress=progress)
"""


def test_killed_process_resumes_to_the_same_bits(
    make_dataset, make_model, make_training, same_bits, tmp_path: Path
) -> None:
    here = Path(__file__).parent
    state = tmp_path / "m.seed-7.0.safetensors"
    helpers = [str(here.parent / "conftest.py"), str(here / "conftest.py"), str(state)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *helpers], check=False)
    assert killed.returncode == -signal.SIGKILL
    arguments = (make_dataset(), make_model("additive", dropout=0.3), make_training(), 7)
    whole = train(*arguments, name="m")
    rows = []
    resumed = train(
        *arguments,
        name="m",
        resume=ResumeFile(state),
        progress=rows.append,
    )
    assert [row["epoch"] for row in rows] == [3, 4]
    assert same_bits(whole, resumed)
