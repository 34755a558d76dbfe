"""What a run costs on a cluster beside its own work, by how many runs share one job.

Run in the project folder, where `sbatch` and `sacct` work:

    python benchmarks/packing.py [--packs 1 2 4 8 16] [--runs 16]

Each row is a small study of its own: so many runs of one model with attention, each a chain of
train, extract, measure and intervene. CPU-seconds of jobs are those of the accounting. Work is
what the same scripts take by themselves, Python's start and imports included; the rest is
Snakemake's. The controller plans the study and watches its jobs.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from jobs import run

from attnpipe.pipeline.controller import job_prefix
from attnpipe.pipeline.frozen import open_plan

ROOT = Path.cwd()
MODEL = "reader"
STAGES = ("train", "extract", "measure", "intervene")
OVERRIDES = (
    "ground_truth=last models.reader.arms=[] data.train_windows=500 training.epochs=2 "
    "training.windows_per_epoch=320 intervention.names=[uniform] "
    # packs ask for the sum of times, and partitions have limits
    "resources.train.runtime=2 resources.extract.runtime=2 resources.measure.runtime=2 "
    "resources.intervene.runtime=2"
)
COLUMNS = (
    "runs per job", "jobs", "CPU-s per run", "beside its work", "CPU-s of the controller",
)  # fmt: skip


def configuration(pack: int, runs: int) -> dict[str, str]:
    """Return the `--config` values of the study with packs of one size."""
    seeds = ",".join(map(str, range(runs)))
    return {
        "study": "ground_truth",
        "overrides": f"{OVERRIDES} name=packs_of_{pack} seeds=[{seeds}]",
    }


def study(pack: int, runs: int) -> float:
    """Run all chains of a study in packs of one size; return the controller's CPU-seconds."""
    folder = f"results/packs_of_{pack}/runs/{MODEL}"
    targets = [
        f"{folder}/seed-{seed}/{name}.parquet"
        for seed in range(runs)
        for name in ("metrics", "interventions")
    ]
    config = [f"{key}={value}" for key, value in configuration(pack, runs).items()]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm",
            "--group-components", f"run={pack}", "--forceall", *targets, "--config", *config,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"packs of {pack}: the study failed; run it by hand to see why")
    return usage.ru_utime + usage.ru_stime


def accounted(pack: int, since: str) -> list[float]:
    """Return CPU-seconds of each job of a study since a time."""
    told = subprocess.run(
        ["sacct", "-n", "-P", "-S", since, "-o", "JobName,State,TotalCPU"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    prefix = job_prefix(f"packs_of_{pack}", ROOT)  # steps have other names
    rows = [line.split("|") for line in told.splitlines() if line.startswith(prefix)]
    return [_seconds(cpu) for _, state, cpu in rows if state == "COMPLETED"]


def _seconds(clock: str) -> float:
    """Return the seconds of `[[days-]hours:]minutes:seconds`."""
    days, _, rest = clock.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = 60 * total + float(part)
    return total + 86400 * int(days or 0)


def work(pack: int, runs: int) -> float:
    """Return the CPU-seconds of one chain by itself."""
    plan = open_plan(ROOT, configuration(pack, runs), main=True)
    chain = [j for j in plan.jobs() if j.stage in STAGES and j.wildcards["seed"] == "0"]
    return sum(run(plan, job)[0] for job in chain)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--runs", type=int, default=16)
    options = parser.parse_args()
    own: float | None = None
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for pack in options.packs:
        since = time.strftime("%Y-%m-%dT%H:%M:%S")
        controller = study(pack, options.runs)
        own = own if own is not None else work(pack, options.runs)
        jobs = accounted(pack, since)
        cpu = sum(jobs) / options.runs
        print(
            f"| {pack} | {len(jobs)} | {cpu:.1f} | {cpu - own:.1f} | {controller:.1f} |", flush=True
        )
    print(f"\nA chain by itself takes {own:.1f} CPU-s.")


if __name__ == "__main__":
    main()
