"""The Debian packages that the cluster is made of."""

import os
import shutil
import subprocess
from pathlib import Path

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
LIMIT = 300
"""Seconds that apt-get may take."""


def search_path() -> str:
    """Return PATH with the folders of daemons, which a user's PATH may lack."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def missing() -> list[str]:
    """Return the packages that have to be installed."""
    return sorted({p for n, p in PROGRAMS.items() if shutil.which(n, path=search_path()) is None})


def obstacle() -> str | None:
    """Return why no cluster can be brought up on this machine; None if it can."""
    if os.geteuid() != 0:
        return "a cluster is brought up by root only (slurmd starts jobs for users)"
    if missing() and shutil.which("apt-get") is None:
        return f"{', '.join(missing())} cannot be installed: there is no apt-get"
    return None


def install() -> None:
    """Install what is missing; the packages' own services are not started."""
    packages = missing()
    if not packages:
        return
    guarded = not POLICY.exists()
    if guarded:  # asked by Debian's packages before they start a service
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        _apt("update")
        _apt("install", "-y", "--no-install-recommends", *packages)
    finally:
        if guarded:
            POLICY.unlink()


def _apt(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"apt-get {arguments[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
