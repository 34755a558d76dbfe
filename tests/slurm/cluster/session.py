"""A command with a limit, and an end for all that it has started."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from .daemons import stat

PATIENCE = 30
"""Seconds that a command may take to end itself."""
TIME_IS_UP = 124


def run(command: list[str], seconds: float) -> int:
    """Run a command in a session of its own, and leave nothing of that; return its exit code."""
    process = subprocess.Popen(command, start_new_session=True)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"not done after {seconds:.0f} s: {' '.join(command)}", file=sys.stderr)
        return TIME_IS_UP
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C, so that tests tear down what they have set up; kill what is left after that."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    for member in _members(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def _members(session: int) -> list[int]:
    """Return the processes of a session, whatever groups they have formed."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if stat(pid)[3:4] == [str(session)]]
