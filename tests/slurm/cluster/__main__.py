"""The cluster by hand, or around one command.

    python -m tests.slurm.cluster up
    python -m tests.slurm.cluster down
    python -m tests.slurm.cluster around COMMAND …

`around` brings it up, runs the command and takes it down, whatever happens; its exit code is
the command's. A machine that cannot have a cluster is no failure: it says why.
"""

import signal
import subprocess
import sys
import time

from .cluster import Cluster


def around(cluster: Cluster, command: list[str]) -> int:
    """Run a command while the cluster is up; return its exit code."""
    reason = cluster.obstacle()
    if reason is not None:
        print(f"NOT RUN, no test cluster on this machine: {reason}", file=sys.stderr)
        return 0
    try:
        started = time.monotonic()
        cluster.up()
        print(f"the cluster is up after {time.monotonic() - started:.0f} s", flush=True)
        return subprocess.run(command, check=False).returncode
    finally:
        cluster.down()


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):  # `finally` must have its turn
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    match sys.argv[1:]:
        case ["up"]:
            Cluster().up()
        case ["down"]:
            Cluster().down()
        case ["around", *command] if command:
            sys.exit(around(Cluster(), command))
        case _:
            raise SystemExit(__doc__)
