"""`python -m tests.slurm.cluster up` and `down`: the cluster by hand."""

import sys
import time

from .cluster import Cluster

if __name__ == "__main__":
    started = time.monotonic()
    if sys.argv[1:] not in (["up"], ["down"]):
        raise SystemExit("usage: python -m tests.slurm.cluster up|down")
    getattr(Cluster(), sys.argv[1])()
    print(f"the cluster is {sys.argv[1]} after {time.monotonic() - started:.1f} s")
