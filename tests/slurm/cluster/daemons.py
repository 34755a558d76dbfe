"""Processes of the cluster: started, waited for, stopped by the ids that were written down."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from .packages import search_path

STOP_LIMIT = 15
"""Seconds that a daemon may take to end before it is killed."""


class Daemons:
    """The daemons of one cluster.

    Parameters
    ----------
    folder
        Where logs lie, and the list of processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._list = folder / "processes"

    def start(self, name: str, *command: str) -> None:
        """Start a daemon in a session of its own."""
        program = shutil.which(command[0], path=search_path())
        assert program is not None, f"{command[0]} is not installed"
        log = str(self._folder / "log" / f"{name}.out")
        pid = os.posix_spawn(
            program,
            command,
            os.environ | {"PATH": search_path()},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        with self._list.open("a") as file:
            file.write(f"{name} {pid} {_born(pid)}\n")

    def pid(self, name: str) -> int | None:
        """Return the process id of a daemon; None if it does not run."""
        found = [entry for entry in self._entries() if entry[0] == name]
        return found[-1][1] if found and _alive(*found[-1][1:]) else None

    def wait(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until a daemon is ready; end with its log if it is not."""
        end = time.monotonic() + seconds
        while not ready():
            if self.pid(name) is None or time.monotonic() > end:
                raise SystemExit(f"{name} is not ready:\n{self._tail(name)}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop all, the last started first."""
        for _, pid, born in reversed(self._entries()):
            end = time.monotonic() + STOP_LIMIT
            with contextlib.suppress(ProcessLookupError):  # it may end at any moment
                if _alive(pid, born):
                    os.kill(pid, how)
                while _alive(pid, born):
                    time.sleep(0.05)
                    if time.monotonic() > end:
                        os.kill(pid, signal.SIGKILL)
        self._list.unlink(missing_ok=True)

    def _entries(self) -> list[tuple[str, int, str]]:
        if not self._list.exists():
            return []
        lines = [line.split() for line in self._list.read_text().splitlines()]
        return [(name, int(pid), born) for name, pid, born in lines]

    def _tail(self, name: str) -> str:
        logs = sorted((self._folder / "log").glob(f"{name}.*"))
        return "\n".join(f"{log}:\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the third on; none of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _born(pid: int) -> str:
    """Return when a process began, in ticks of the machine: ids are used again."""
    fields = stat(pid)
    return fields[19] if fields else "-"


def _alive(pid: int, born: str) -> bool:
    fields = stat(pid)
    return bool(fields) and fields[0] != "Z" and fields[19] == born
