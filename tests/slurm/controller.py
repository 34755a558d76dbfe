"""Snakemake on the test cluster, with a limit on everything that waits."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.slurm.cluster.cluster import Cluster
from tests.workflow.project import Project

from attnpipe.pipeline.controller import job_prefix

LIMIT = 420
"""Seconds that a controller may take."""
# Questions come as often as the plugin allows; one file system needs no patience.
QUICK = ("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5")
# What a shell that saw it would run, or change.
HOSTILE = """A 'tiny' "study" of $(>ran) `>ran2` 'or' \\"""
TITLE = r"""title='A \'tiny\' "study" of $(>ran) `>ran2` \'or\' \\'"""
SHOWN = "accounting"
"""Property of a test that is printed in the end."""
COLUMNS = "JobID,JobName,State,NodeList,AllocTRES,TimelimitRaw,Account,Comment"


@dataclass(frozen=True)
class Submitted:
    """A job as the accounting tells it."""

    id: int
    name: str
    state: str
    node: str
    resources: str
    minutes: int
    account: str
    what: str


class Running:
    """A controller at work."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self._process = process
        self._log = log

    def end(self, seconds: float = LIMIT) -> tuple[int, str]:
        """Wait for its end; return its exit code and output."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            said = self._log.read_text()[-4000:]
            raise AssertionError(f"the controller took over {seconds} s:\n{said}") from None
        return code, self._log.read_text()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with all that it started on this host; its jobs are not its children."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Controller:
    """Starts, watches and kills controllers of one project; ends all of them with its block."""

    def __init__(self, project: Project, cluster: Cluster) -> None:
        self.project = project
        self._cluster = cluster
        self._started: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing: a controller that lives would submit again what is cancelled."""
        for running in self._started:
            running.kill()
        if jobs := self._left():
            self._cluster.ask("scancel", *jobs)
            self.until(lambda: not self._left())

    def start(self, *arguments: str, overrides: str = "") -> Running:
        """Start a controller whose output goes to a file."""
        config = ["--config", "study=tiny", f"overrides={TITLE} {overrides}"]
        profile = ["--workflow-profile", "profiles/slurm", *QUICK]
        log = self.project.folder / f"controller-{time.monotonic_ns()}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *profile, *arguments, *config],
                cwd=self.project.folder,
                env=self.project.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        self._started.append(Running(process, log))
        return self._started[-1]

    def run(self, *arguments: str, overrides: str = "") -> str:
        """Run a controller that must succeed; return its output."""
        code, said = self.start(*arguments, overrides=overrides).end()
        assert code == 0, said[-6000:]
        return said

    def until(self, what: Callable[[], object], seconds: float = 60) -> object:
        """Wait until something is true, and return it."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, f"not true after {seconds} s"
            time.sleep(0.2)
        return found

    def running(self, study: str = "tiny", node: str | None = None) -> Sequence[int]:
        """Return the ids of the study's jobs that run now, on one node or on any."""
        rows = self._queue(study)
        return [int(i) for i, state, on in rows if state == "RUNNING" and node in (None, on)]

    def queued(self, study: str = "tiny") -> Sequence[int]:
        """Return the ids of the study's jobs that wait or run."""
        return [int(i) for i, _, _ in self._queue(study)]

    def _queue(self, study: str) -> list[tuple[str, str, str]]:
        rows = self._cluster.ask("squeue", "-h", "-o", "%A|%T|%N|%j").splitlines()
        cells = [row.split("|") for row in rows]
        prefix = job_prefix(study, self.project.folder)
        return [(i, state, node) for i, state, node, name in cells if name.startswith(prefix)]

    def _left(self) -> list[str]:
        """Return the ids of the jobs of all studies of the project."""
        rows = self._cluster.ask("squeue", "-h", "-o", "%A|%Z").splitlines()
        cells = [row.partition("|") for row in rows]
        return [i for i, _, folder in cells if folder == str(self.project.folder)]

    def accounting(self, study: str = "tiny") -> list[Submitted]:
        """Return all jobs of the study, in the order of their submission."""
        told = self._cluster.ask("sacct", "-X", "-n", "-P", "-o", COLUMNS)
        prefix = job_prefix(study, self.project.folder)
        return [
            Submitted(int(i), name, state.split()[0], node, resources, int(minutes), account, what)
            for i, name, state, node, resources, minutes, account, what in (
                row.split("|") for row in told.splitlines()
            )
            if name.startswith(prefix)
        ]

    def sealed(self, path: str) -> dict:
        """Return the param that a job left in its seal, by the seal's path below the study."""
        seal = self.project.folder / "results" / "tiny" / path
        return json.loads(seal.read_text())["param"]


def results(folder: Path) -> dict[str, bytes]:
    """Return path → content of the results of a study, without the record of its command."""
    files = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
    shown = {name for name in files if "/." not in f"/{name}"} - {"config.json"}
    return {name: files[name].read_bytes() for name in files if name in shown}
