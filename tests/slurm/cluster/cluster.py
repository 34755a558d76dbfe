"""A real SLURM cluster of two nodes on this host, for tests."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .configuration import ACCOUNT, CLUSTER, ETC, MARK, NODES, PORTS, files
from .daemons import Daemons
from .obstacle import ObstacleError, address, alone, check_free
from .packages import search_path

FOLDER = Path(os.environ.get("ATTNPIPE_CLUSTER") or f"{tempfile.gettempdir()}/attnpipe-cluster")
ASK = 20
"""Seconds that a question to the cluster may take."""
LAYING_OUT = 60
"""Seconds that an empty database may take to be written."""


class Cluster:
    """The cluster whose state lies in `folder`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._daemons = Daemons(folder)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the only one here who brings a cluster up, from nothing.

        Raises
        ------
        ObstacleError
            There can be none on this machine, or not now.
        """
        known = ETC / "slurm.conf"
        if os.geteuid() != 0:
            raise ObstacleError("only root can bring one up (slurmd starts jobs for users)")
        if known.exists() and MARK not in known.read_text():
            raise ObstacleError(f"'{known}' is of another cluster")
        address()
        with alone():
            self.down()  # what was left by hand, or by a power cut
            check_free(PORTS.values())
            yield

    def answers(self) -> bool:
        """Whether the cluster is up."""
        return self._daemons.pid("slurmctld") is not None and self._controller_answers()

    def up(self) -> None:
        """Start from an empty state."""
        self._lay_out()
        self._munge()
        self._accounting()
        self._slurm()

    def down(self) -> None:
        """Cancel what runs, stop the daemons, forget their state; nothing to do is fine."""
        if self._daemons.pid("slurmctld"):
            with contextlib.suppress(subprocess.SubprocessError):
                self.cancel_all()
        self._daemons.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in ETC.glob("*.conf"):  # without them, SLURM's commands end at once
            if MARK in path.read_text():
                path.unlink()

    def ask(self, *command: str, seconds: float = ASK) -> str:
        """Return what a command of SLURM prints.

        Raises
        ------
        subprocess.SubprocessError
            It failed, or took too long.
        """
        return subprocess.run(
            command,
            env=os.environ | {"PATH": search_path()},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        ).stdout

    def queued(self) -> list[str]:
        """Return the ids of jobs that wait or run."""
        return self.ask("squeue", "--noheader", "--format=%A").split()

    def cancel_all(self) -> None:
        """Cancel all jobs and wait until they are gone."""
        if self.queued():
            self.ask("scancel", "--user=root")
        end = time.monotonic() + ASK
        while self.queued() and time.monotonic() < end:
            time.sleep(0.2)

    def kill_node(self, name: str) -> None:
        """End a node as a power cut would: its daemon first, then all that runs there."""
        pid = self._daemons.pid(name)
        assert pid is not None, f"{name} does not run"
        steps = self._processes(name)
        os.kill(pid, signal.SIGKILL)
        for step in steps:
            with contextlib.suppress(ProcessLookupError):
                os.kill(step, signal.SIGKILL)

    def mend_node(self, name: str) -> None:
        """Start a node again and wait until it takes jobs."""
        if self._daemons.pid(name) is None:
            self._daemons.start(name, "slurmd", "-D", "-N", name)
        self._daemons.wait(name, lambda: self._takes_jobs(name), 60)

    def _processes(self, node: str) -> list[int]:
        """Return the processes of the jobs on a node: the steps' managers, then their tasks."""
        found: list[int] = []
        for job in set(self.ask("squeue", "-h", "-t", "R", "-w", node, "-o", "%A").split()):
            with contextlib.suppress(subprocess.SubprocessError):  # it may have just ended
                rows = self.ask("scontrol", "listpids", job, node).splitlines()[1:]
                tasks = [int(row.split()[0]) for row in rows if row.split()[0].isdigit()]
                found += [_parent_named(pid, "slurmstepd") for pid in tasks] + tasks
        return [pid for pid in dict.fromkeys(found) if pid > 1]

    def _lay_out(self) -> None:
        for name in ("munge", "log", "controller", "database", *(f"spool/{n}" for n in NODES)):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)  # munge refuses a folder that others may write
        ETC.mkdir(exist_ok=True)
        for name, text in files(self.folder).items():
            (ETC / name).write_text(text)
            (ETC / name).chmod(0o600 if name == "slurmdbd.conf" else 0o644)

    def _munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.touch(0o400)
        key.write_bytes(os.urandom(1024))
        places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        options = [f"--{option}={folder / name}" for option, name in places.items()]
        log = f"--log-file={self.folder}/log/munged.log"
        self._daemons.start("munged", "munged", "--foreground", "--force", log, *options)
        self._wait("munged", "munge", "-S", str(folder / "socket"), "-n")

    def _accounting(self) -> None:
        data = self.folder / "database"
        shutil.chown(data, "mysql", "mysql")
        self.ask(
            "mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}/data",
            "--skip-test-db", "--auth-root-authentication-method=normal", seconds=LAYING_OUT,
        )  # fmt: skip
        self._daemons.start(
            "mariadbd", "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}/data",
            f"--socket={data}/socket", f"--pid-file={data}/pid", "--bind-address=127.0.0.1",
            f"--port={PORTS['database']}", "--skip-log-bin",
            "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900",
        )  # fmt: skip
        sql = ("mariadb", "--no-defaults", "-S", f"{data}/socket", "-u", "root", "-e")
        self._wait("mariadbd", *sql, "select 1")
        hosts = ("slurm@127.0.0.1", "slurm@localhost")
        grants = [
            f"create user {h} identified by 'slurm'; grant all on slurm.* to {h}" for h in hosts
        ]
        self.ask(*sql, "; ".join(["create database slurm", *grants]))
        self._daemons.start("slurmdbd", "slurmdbd", "-D")
        self._wait("slurmdbd", "sacctmgr", "-n", "show", "cluster")
        self.ask("sacctmgr", "-i", "add", "cluster", CLUSTER)
        self.ask("sacctmgr", "-i", "add", "account", ACCOUNT, "Description=x", "Organization=x")
        self.ask("sacctmgr", "-i", "add", "user", "root", f"Account={ACCOUNT}")

    def _slurm(self) -> None:
        self._daemons.start("slurmctld", "slurmctld", "-D", "-c")
        self._daemons.wait("slurmctld", self._controller_answers, 30)
        for name in NODES:
            self.mend_node(name)

    def _controller_answers(self) -> bool:
        try:
            return "UP" in self.ask("scontrol", "ping")
        except subprocess.SubprocessError:
            return False

    def _takes_jobs(self, node: str) -> bool:
        # a state that ends in * is of a node that does not answer
        try:
            state = self.ask("sinfo", "-h", "-N", "-n", node, "-o", "%T").split()
        except subprocess.SubprocessError:
            return False
        return bool(state) and state[0] in ("idle", "mixed", "allocated")

    def _wait(self, daemon: str, *command: str) -> None:
        def answers() -> bool:
            try:
                self.ask(*command)
            except subprocess.SubprocessError:
                return False
            return True

        self._daemons.wait(daemon, answers, 60)


def _parent_named(pid: int, name: str) -> int:
    """Return the parent of a process if it is a program of that name, else 0."""
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        parent = next(int(line.split()[1]) for line in status if line.startswith("PPid:"))
        return parent if Path(f"/proc/{parent}/comm").read_text().startswith(name) else 0
    except OSError:
        return 0
