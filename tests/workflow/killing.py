"""Kills jobs, Snakemake and all of its processes at random moments, and compares results."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from attnpipe.pipeline.controller import LOCK

JOB = re.compile(r"\.snakemake/scripts/\w+\.(\w+)\.py$")
KINDS = ("job", "job", "snakemake", "everything")
CLEANED_BY_HAND = "--unlock"  # the one step that README documents


@dataclass
class Disturber:
    """Runs a study and kills parts of it.

    Attributes
    ----------
    project
        Where the study runs.
    overrides
        Of the study.
    seed
        Of the moments and victims.
    whole
        Called whenever the study came to its end in spite of all: to look, and to begin anew.
    log
        One line per kill.
    """

    project: object
    overrides: str = ""
    seed: int = 0
    whole: Callable[[], None] = lambda: None
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.begin = time.monotonic()

    def disturb(self, kills: int) -> None:
        """Run the study until so many kills were made; the last leaves it as it fell."""
        while len(self.log) < kills:
            with self._start() as controller:
                try:
                    self._until_dead(controller, kills)
                finally:
                    end(controller)
            if controller.returncode == 0:
                self.whole()
                continue
            self.project.snakemake(CLEANED_BY_HAND, overrides=self.overrides)

    def _start(self) -> subprocess.Popen:
        return subprocess.Popen(
            self.project.command(overrides=self.overrides),
            cwd=self.project.folder,
            env=self.project.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _until_dead(self, controller: subprocess.Popen, kills: int) -> None:
        planning = self.random.random() < 0.15  # else it is let come to its first job
        while not planning and controller.poll() is None and not jobs_of(controller):
            time.sleep(0.05)
        while len(self.log) < kills:
            time.sleep(self.random.uniform(0.1, 4))
            if controller.poll() is not None:
                return  # it ended by itself: all is done, or the rest waits for a killed job
            kind = self.random.choice(KINDS)
            running = jobs_of(controller)
            if kind == "job":
                if running:
                    name = self.random.choice(sorted(running))
                    self._note(f"job {name}")
                    strike(running[name].pid)
                continue
            self._note(f"{kind} while {', '.join(sorted(running)) or 'no job'} ran")
            if kind == "everything":
                os.killpg(controller.pid, signal.SIGKILL)
            else:
                controller.kill()
            return

    def _note(self, victim: str) -> None:
        seconds = time.monotonic() - self.begin
        self.log.append(f"{len(self.log) + 1:3} {seconds:7.1f} s  SIGKILL {victim}")


def jobs_of(controller: subprocess.Popen) -> dict[str, psutil.Process]:
    """Return the running jobs of a Snakemake: rule and process id → process."""
    found = {}
    with suppress(psutil.NoSuchProcess):  # it may end while we look
        for process in psutil.Process(controller.pid).children(recursive=True):
            if match := JOB.search(" ".join(process.cmdline())):
                found[f"{match[1]} {process.pid}"] = process
    return found


def strike(pid: int) -> None:
    """Send SIGKILL, unless the process has just ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def end(controller: subprocess.Popen) -> None:
    """Kill what a failed test would leave running; a dead Snakemake leaves its jobs alone."""
    if controller.poll() is None:
        os.killpg(controller.pid, signal.SIGKILL)
    controller.wait()


def results_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but seals, which hold times, and who ran it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK and not path.name.endswith(".seal.json")
    }


def assert_same_results(found: Path, expected: Path) -> None:
    """Hold two folders of results to the same files with the same bytes."""
    found_files, expected_files = results_of(found), results_of(expected)
    assert not (gone := sorted({*expected_files} - {*found_files})), f"missing: {gone}"
    assert not (orphans := sorted({*found_files} - {*expected_files})), f"left over: {orphans}"
    different = [name for name in found_files if found_files[name] != expected_files[name]]
    assert not different, f"other bytes: {different}"
