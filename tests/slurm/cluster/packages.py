"""The Debian packages that the cluster is made of."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .obstacle import ObstacleError

# Program → package that brings it.
PROGRAMS = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server",
}
POLICY = Path("/usr/sbin/policy-rc.d")
OPTIONS = ("-o", "APT::Install-Recommends=false", "-o", "DPkg::Lock::Timeout=60")
FETCH_SECONDS = 120
"""How long it may take to get the packages."""


def search_path() -> str:
    """Return PATH with the folders of daemons, which a user's PATH may lack."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def install() -> None:
    """Install what is missing; the packages' own services are not started.

    Raises
    ------
    ObstacleError
        The packages cannot be had.
    SystemExit
        They are there, and cannot be unpacked.
    """
    packages = missing()
    if not packages:
        return
    _fetch(packages)
    with _no_services():
        _unpack(packages)


def missing() -> list[str]:
    """Return the packages that have to be installed."""
    return sorted({p for n, p in PROGRAMS.items() if shutil.which(n, path=search_path()) is None})


def _fetch(packages: list[str]) -> None:
    """Download packages; nothing is harmed when that is cut short."""
    end = time.monotonic() + FETCH_SECONDS
    for step in (("update",), ("install", "--download-only", *packages)):
        try:
            done = _apt(*step, seconds=end - time.monotonic())
            said, failed = done.stdout + done.stderr, done.returncode != 0
        except FileNotFoundError:
            said, failed = "there is no apt-get", True
        except subprocess.TimeoutExpired:
            said, failed = f"apt-get {step[0]} is not done after {FETCH_SECONDS} s", True
        if failed:
            reason = said.strip().splitlines()[-1:] or ["apt-get does not say why"]
            raise ObstacleError(f"{', '.join(packages)} cannot be installed: {reason[0]}")


def _unpack(packages: list[str]) -> None:
    """Install what was downloaded: dpkg must not be stopped at its work, so nothing limits it."""
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # for what is started here, too
    try:
        done = _apt("install", "--no-download", *packages)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    if done.returncode:
        raise SystemExit(f"apt-get install failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _apt(*arguments: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-q", "-y", *OPTIONS, *arguments],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        start_new_session=True,
    )


@contextmanager
def _no_services() -> Iterator[None]:
    """Let Debian's packages ask whether they may start a service, and be told no."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
