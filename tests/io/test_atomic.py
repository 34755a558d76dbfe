"""Files appear whole or not at all, and what killed writers left is removed."""

import errno
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import remove_leftovers, write_atomically, write_text
from attnpipe.io.parquet import _write, write_table
from attnpipe.io.resume import ResumeFile
from attnpipe.io.tensors import write_tensors
from attnpipe.tables.history import HISTORY

ARRAYS = {"a": np.ones(10_000)}


def test_a_disk_that_fills_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fill(temporary):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError) as full:
        write_atomically(path, fill)
    assert str(full.value) == (
        f"cannot write '{path}': No space left on device; free space or change permissions"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    kept = ["a.parquet", "runs/.train.seal.json", "runs/x.tmp", "runs/.tmp1", "runs/.tmpdir12/a",
            "runs/x.tmpAb3dE6", "runs/.tmpAb3dE67", "runs/.tmpAb-dE6"]  # fmt: skip
    for name in (*kept, ".a.parquet.123.tmp", "runs/.b.json.9.tmp", "runs/.tmpAb3dE6"):
        write_text(tmp_path / name, "x")
    (tmp_path / ".tmpfolder").mkdir()
    remove_leftovers(tmp_path)
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert left == sorted(kept)
    remove_leftovers(tmp_path / "absent")


@pytest.mark.parametrize("as_csv", [False, True])
def test_a_full_disk_is_one_whoever_writes(as_csv) -> None:
    """`polars` wraps what the system says."""
    frame = pl.DataFrame({"a": np.arange(10_000)})
    with pytest.raises(OSError, match="No space left on device"):
        _write(frame, Path("/dev/full"), "t", as_csv)


def write_history(path):
    rows = [{"model": "a", "seed": s, "epoch": 0, "train_loss": s / 7} for s in range(20_000)]
    write_table(path, HISTORY.frame(rows), HISTORY)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.safetensors", lambda path: write_tensors(path, ARRAYS, {})),
        ("m.seed-1.0.safetensors", lambda path: ResumeFile(path).save(ARRAYS, {"epoch": 1})),
        ("a.parquet", write_history),
        ("a.csv", write_history),
        ("a.txt", lambda path: write_text(path, "x" * 9000)),
    ],
)
def test_what_the_system_refuses_is_one_sentence_whoever_writes(tmp_path, full_disk, name, write):
    path = tmp_path / name
    with full_disk(4096), pytest.raises(UserError) as refused:
        write(path)
    said = rf"cannot write '{path}': File too large( \(os error 27\))?; free space or change perm.*"
    assert re.fullmatch(said, str(refused.value))
    assert list(tmp_path.iterdir()) == []
    write(path)
    assert path.exists()


ON_A_FULL_DISK = """
from pathlib import Path
import numpy as np
from attnpipe.core.errors import UserError
from attnpipe.io.resume import ResumeFile
try:
    ResumeFile(Path("full/m.seed-1.0.safetensors")).save({"a": np.ones(100_000)}, {"epoch": 1})
except UserError as error:
    print(error, *Path("full").iterdir())
"""


def test_a_full_disk_is_named_by_who_writes_arrays(tmp_path):
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount: no disk can be filled here")
    (tmp_path / "full").mkdir()
    mount = 'mount -t tmpfs -o size=64k none full && exec "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", mount, "bash", sys.executable, "-c", ON_A_FULL_DISK],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == (
        "cannot write 'full/m.seed-1.0.safetensors': No space left on device; free space or "
        "change permissions\n"
    ), done.stderr


KILLED_WHILE_IT_WRITES = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from attnpipe.io.tensors import write_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
write_tensors(Path(sys.argv[1]), {"a": np.ones(10_000)}, {})
"""


def test_what_a_killed_writer_of_arrays_leaves_is_removed(tmp_path):
    """The library writes to a file of its own beside ours."""
    path = tmp_path / "runs" / "a.safetensors"
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_WRITES, path], check=False)
    assert killed.returncode == -signal.SIGXFSZ
    (left,) = path.parent.iterdir()
    assert left.name.startswith(".tmp"), "not the name that write_atomically gives"
    remove_leftovers(tmp_path)
    assert list(path.parent.iterdir()) == []
