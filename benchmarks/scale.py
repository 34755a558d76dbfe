"""What a study of thousands of runs costs the one process that plans and watches it.

    python benchmarks/scale.py [plan] [execute] [report] [--sizes 10x10 10x100 …] [--check]

Prints a table each; without names those of `plan` and `execute`. Sizes are models × seeds; each
model has four stages per run (train, extract, measure, intervene), and a baseline without
attention is trained beside them. Everything happens in copies of the project in a temporary folder.

plan
    Snakemake's CPU-seconds and peak memory: a run with nothing done, until its first job begins
    (`plan`), a dry run of the same, which words a line for each job (`dry run`), the first run with
    everything done, which hashes all outputs (`no-op`), dry runs of one file of one run and of one
    model's table, with everything done but them (`one run`, `one model`). Outputs are a few bytes
    each, with seals (`scaling/written.py`): larger ones take longer to hash, once.
execute
    The controller's own CPU-seconds per job, start-up left out, when jobs do next to nothing
    (`scaling/controller.py` says what stands in for their scripts).
report
    CPU-seconds and the largest peak memory of all jobs after the runs: aggregation, comparisons,
    figures, findings, report; and the CPU-seconds of the controller, planning included. The runs
    are one real one of each kind of model, varied (`scaling/finished.py`).

With `--check` the exit code is not 0 if anything takes more than it may.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scaling.finished import finish_runs
from scaling.project import NAME, create, environment
from scaling.written import write_jobs

HERE = Path(__file__).parent
PLANNED = ["10x10", "10x100", "100x100"]
REPORTED = ["10x100", "10x1000", "100x100"]
EXECUTED = ["5x4", "10x10", "10x25", "10x100"]
STAGES_PER_RUN = 4

PLAN_SECONDS = {1000: 8.0, 10_000: 60.0}
"""Runs → CPU-seconds that planning them, or finding that nothing is to be done, may take."""
PLAN_MB = 1000.0
TARGETS = {
    "one run": "runs/m0001/seed-1/metrics.parquet",
    "one model": "aggregate/m0001/metrics.parquet",
}
TARGET_SECONDS = 4.0
REPORT_SECONDS, REPORT_MB, CORES = 60.0, 2000.0, 2
FLAT = 1.5
"""How many times the cost per job of the smallest study that of the largest may be."""


@dataclass(frozen=True)
class Cost:
    """CPU-seconds and peak memory of Snakemake itself, and of its jobs."""

    seconds: float
    megabytes: float
    jobs_seconds: float
    jobs_megabytes: float


def snakemake(folder: Path, *arguments: str, mode: str | None = None, says: str = "") -> Cost:
    """Run Snakemake in a copy of the project, where it must say something; return what it took.

    For the modes see `scaling/controller.py`.
    """
    left = folder / "cost.json"
    command = [sys.executable, str(HERE / "scaling" / "controller.py")]
    command += [f"--{mode}"] if mode else []
    command += [str(left), "--cores", str(CORES), "--config", f"study={NAME}", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    if done.returncode or says not in done.stdout + done.stderr:
        raise SystemExit(f"snakemake failed, or did not say '{says}':\n{done.stderr[-3000:]}")
    return Cost(**json.loads(left.read_text()))


def shape(size: str) -> tuple[int, int]:
    """Return models and seeds of `10x100`."""
    models, _, seeds = size.partition("x")
    return int(models), int(seeds)


def exponent(x: list[int], y: list[float]) -> float:
    """Return the power of x with which y grows, from the first point to the last."""
    return math.log(y[-1] / y[0]) / math.log(x[-1] / x[0])


def measure_plan(root: Path, sizes: list[str]) -> list[str]:
    """Print the table of planning; return what takes too much."""
    broken: list[str] = []
    runs: list[int] = []
    seconds: dict[str, list[float]] = {"plan": [], "no-op": []}
    print(
        "| models × seeds | jobs | plan | dry run | no-op | one run | one model |\n"
        "|---|---|---|---|---|---|---|"
    )
    for size in sizes:
        models, seeds = shape(size)
        begun, folder = root / f"begun-{size}", root / f"planned-{size}"
        for each in (begun, folder):  # what has begun and was left is locked
            create(each, models, seeds)
        costs = {
            "plan": snakemake(begun, mode="first-job"),
            "dry run": snakemake(folder, "--dry-run", "--quiet", "all"),
        }
        jobs = write_jobs(folder)
        costs["no-op"] = snakemake(folder, says="Nothing to be done")
        for name, file in TARGETS.items():
            wanted = f"results/{NAME}/{file}"
            costs[name] = snakemake(folder, "--dry-run", "--quiet", "all", "--force", "--", wanted)
        cells = [f"{c.seconds:.1f} s, {c.megabytes:.0f} MB" for c in costs.values()]
        print(f"| {size} | {jobs} | {' | '.join(cells)} |", flush=True)
        runs.append(models * seeds)
        for name, cost in costs.items():
            most = TARGET_SECONDS if name in TARGETS else PLAN_SECONDS.get(runs[-1], math.inf)
            if name != "dry run" and (cost.seconds > most or cost.megabytes > PLAN_MB):
                broken.append(f"{size} {name}: {cost}, not {most} s, {PLAN_MB} MB")
        for name, of in seconds.items():
            of.append(costs[name].seconds)
    if len(runs) > 1:
        grown = [f"{exponent(runs, of):.2f} ({name})" for name, of in seconds.items()]
        print(f"\nSeconds grow with the runs to the power of {', '.join(grown)}")
    return broken


def measure_report(root: Path, sizes: list[str]) -> list[str]:
    """Print the table of what follows the runs; return what takes too much."""
    real = root / "real"
    create(real, 1, 1)
    snakemake(real, "--quiet", "all")
    broken: list[str] = []
    print("\n| models × seeds | jobs after the runs | largest | controller |\n|---|---|---|---|")
    for size in sizes:
        folder = root / f"reported-{size}"
        create(folder, *shape(size))
        snakemake(folder, "--quiet", "all", "--", f"results/{NAME}/data/csv.safetensors")
        finish_runs(folder, real)
        cost = snakemake(folder, "--quiet", "all")
        print(
            f"| {size} | {cost.jobs_seconds:.0f} CPU-s | {cost.jobs_megabytes:.0f} MB "
            f"| {cost.seconds:.0f} CPU-s |",
            flush=True,
        )
        if cost.jobs_seconds > CORES * REPORT_SECONDS or cost.jobs_megabytes > REPORT_MB:
            broken.append(f"{size} report: {cost}")
    return broken


def measure_execution(root: Path) -> list[str]:
    """Print the table of execution; return what takes too much."""
    print("\n| jobs | controller | per job |\n|---|---|---|")
    per_job = []
    for size in EXECUTED:
        folder = root / f"executed-{size}"
        create(folder, *shape(size))
        start = snakemake(
            folder, "--dry-run", "--quiet", "all", "--", f"results/{NAME}/data/csv.json"
        )
        cost = snakemake(folder, mode="trivial")
        jobs = len(list((folder / "results").rglob(".*.seal.json")))
        per_job.append((cost.seconds - start.seconds) / jobs)
        print(f"| {jobs} | {cost.seconds:.1f} CPU-s | {1000 * per_job[-1]:.1f} ms |", flush=True)
    if per_job[-1] > FLAT * per_job[0]:
        return [f"a job of {EXECUTED[-1]} costs {per_job[-1] / per_job[0]:.2f} × that of the least"]
    return []


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", help="plan, execute, report; without, the first two")
    parser.add_argument("--sizes", nargs="+", help="of plan and report")
    parser.add_argument("--check", action="store_true", help="fail above the limits")
    options = parser.parse_args()
    chosen = options.tables or ["plan", "execute"]
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if "plan" in chosen:
            broken += measure_plan(root, options.sizes or PLANNED)
        if "execute" in chosen:
            broken += measure_execution(root)
        if "report" in chosen:
            broken += measure_report(root, options.sizes or REPORTED)
    if options.check and broken:
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
