"""One controller per study: who runs it now, and which of its jobs a cluster still has."""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from attnpipe.core.errors import UserError
from attnpipe.pipeline.paths import RESULTS
from attnpipe.saved_weights.files import RunFiles

LOCK = ".controller"
"""File below a study's results that its controller holds locked."""
SECONDS = 60
"""How long the queue is asked."""

MARKS = frozenset("'\"\\`$")
"""What a shell takes for its own, inside quotes of one kind or the other."""

_held: list[IO[str]] = []
"""Locks of this process: they end with it, however it ends."""


def job_prefix(study: str, root: Path) -> str:
    """Return what the names of all jobs of a study on a cluster begin with.

    It is the same for all controllers of these results, and for no others.
    """
    place = (root / RESULTS / study).resolve()
    digest = hashlib.sha256(str(place).encode()).hexdigest()[:12]
    return f"attnpipe-{study[:24]}-{digest}"


def claim(study: str, root: Path, submits: bool) -> None:
    """Become the one controller of a study, as long as this process lives.

    Parameters
    ----------
    study
        Name of the study.
    root
        The project folder.
    submits
        Whether jobs go to a cluster: then its queue must answer.

    Raises
    ------
    UserError
        Another process runs the study, or a cluster has jobs of it.
    """
    _lock(study, root / RESULTS / study / LOCK)
    if shutil.which("squeue") is not None:
        _check_queue(study, job_prefix(study, root), submits)


def check_names(saved: Mapping[str, Mapping[int, RunFiles]]) -> None:
    """Refuse saved weights that jobs on a cluster could not be told of.

    Jobs wait for their files by name, and the names go through shells.

    Raises
    ------
    UserError
        The name of a file holds what a shell would run or change.
    """
    runs = (run for seeds in saved.values() for run in seeds.values())
    for file in (str(path) for run in runs for path in run.paths):
        if not MARKS.isdisjoint(file) or not file.isprintable():
            raise UserError(
                f"{file!a} cannot be given to jobs on a cluster: its name holds a quote, $, "
                "a backtick, a backslash or what cannot be printed; rename it"
            )


def _lock(study: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write '{path}': {error.strerror or error}; free space or change permissions"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            file.seek(0)
            owner = file.read().strip() or "another process"
        raise UserError(
            f"study '{study}' is being run by {owner}: wait until it has ended, or stop it there "
            "with Ctrl-C, which cancels its jobs on a cluster"
        ) from None
    except OSError:
        pass  # a file system without locks: Snakemake's own lock is left
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    _held.append(file)


def _check_queue(study: str, prefix: str, submits: bool) -> None:
    try:
        jobs = _queued(prefix)
    except (OSError, subprocess.SubprocessError) as error:
        if not submits:
            return
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        raise UserError(
            f"squeue does not say whether jobs of study '{study}' are in the queue ({reason}): "
            "run the same command again when it answers"
        ) from None
    if not jobs:
        return
    counts = Counter(state.lower() for state, _ in jobs)
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    names = ",".join(sorted({name for _, name in jobs}))
    raise UserError(
        f"jobs of study '{study}' that an earlier controller submitted are still in the queue "
        f"({states}): wait until `squeue --name={names}` shows none, or cancel them with "
        f"`scancel --name={names}`; then run the same command again"
    )


def _queued(prefix: str) -> Sequence[tuple[str, str]]:
    """Return state and name of the jobs that wait or run, of any user."""
    done = subprocess.run(
        ["squeue", "--noheader", "--format=%T|%j"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    rows = [line.partition("|") for line in done.stdout.splitlines()]
    return [(state, name) for state, _, name in rows if name.startswith(f"{prefix}_")]
