"""What one job of each stage costs: CPU-seconds, how many of them beside its work, peak memory.

Work is what happens between reading the inputs and writing the outputs, both included; beside
it stand the start of Python, imports, and what Snakemake's scripts share.

Run after a study has finished, in the project folder:

    python benchmarks/jobs.py [study=… overrides…] [--check]

Each job is run anew in a process of its own, on the study's own inputs, one thread, writing
to a temporary folder. Before them, Snakemake is run once with nothing to do. With `--check` the
exit code is not 0 if anything takes more than it may. What takes more is run twice again, and the
least time counts, as others' work on the machine only adds, and the largest peak.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from attnpipe.pipeline.cli import configuration
from attnpipe.pipeline.frozen import open_plan
from attnpipe.pipeline.plan import Job, Plan
from attnpipe.pipeline.staleness import stale_jobs

ROOT = Path.cwd()
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")

NO_OP_SECONDS = 5.0
"""CPU-seconds of Snakemake with nothing to do."""
SECONDS = {"aggregate": 3.0, "figure": 3.0}
"""Stage → CPU-seconds that one job may take."""
SECONDS_BESIDE = {"measure": 1.0}
"""Stage → those beside its work."""
PEAK_MB = 2000.0
RUNS = 3
"""How often what takes too much is run in all."""
STUDY_SECONDS, CORES = 600.0, 2
"""What all jobs of the study may take together, on so many cores."""

# Stands in for the object that Snakemake gives to scripts.
PRELUDE = """
import json, sys, time
from contextlib import contextmanager
import attnpipe.pipeline.job as jobs
inner = jobs.job
@contextmanager
def timed(snakemake, **options):
    with inner(snakemake, **options) as ctx:
        start = time.process_time()
        yield ctx
        work = time.process_time() - start
    with open(given["work"], "w") as file:
        file.write(str(work))
jobs.job = timed
from types import SimpleNamespace
with open(sys.argv[1]) as file:  # too long for an argument where a study has many runs
    given = json.load(file)
class Named(dict):
    pass
snakemake = SimpleNamespace(
    rule=given["rule"], input=Named(given["input"]), output=Named(given["output"]),
    params=SimpleNamespace(spec=given["spec"]), wildcards=SimpleNamespace(**given["wildcards"]),
)
"""


def run(plan: Plan, job: Job) -> tuple[float, float, float]:
    """Return CPU-seconds, those beside its work, and peak MB of one job."""
    script = (ROOT / "workflow" / "scripts" / f"{job.stage}.py").read_text()
    with tempfile.TemporaryDirectory() as folder:
        written = plan.out(job.stage, **job.wildcards)
        given = {
            "rule": job.stage,
            "input": dict(plan.inputs(job.stage, job.wildcards)),
            # two levels down, so that the resume state lands in the folder, too
            "output": {n: f"{folder}/runs/x/y/{Path(p).name}" for n, p in written.items()},
            "spec": job.param,
            "wildcards": dict(job.wildcards),
            "work": f"{folder}/work",
        }
        told = Path(folder) / "given.json"
        told.write_text(json.dumps(given))
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + script, str(told)],
            env=os.environ | ONE_THREAD,
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{job.stage} failed; finish the study first")
        work = float(Path(given["work"]).read_text())
    total = usage.ru_utime + usage.ru_stime
    return total, total - work, usage.ru_maxrss / 1024


def least(plan: Plan, job: Job) -> tuple[float, float, float]:
    """Return what a job takes; of several runs the least if the first takes too much."""
    costs = [run(plan, job)]
    while exceeded(job.stage, *costs[-1]) and len(costs) < RUNS:
        costs.append(run(plan, job))
    seconds, beside, peak = zip(*costs, strict=True)
    return min(seconds), min(beside), max(peak)


def no_op(config: dict[str, str]) -> float:
    """Return the CPU-seconds of Snakemake on a finished study."""
    values = [f"{key}={value}" for key, value in config.items()]
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    command += ["--config", *values] if values else []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("snakemake failed with nothing to do")
    return usage.ru_utime + usage.ru_stime


def exceeded(stage: str, seconds: float, beside: float, peak: float) -> list[str]:
    """Return what a stage takes too much of."""
    limits = [
        ("CPU-seconds", seconds, SECONDS.get(stage)),
        ("CPU-seconds beside its work", beside, SECONDS_BESIDE.get(stage)),
        ("MB", peak, PEAK_MB),
    ]
    return [
        f"{stage}: {value:.2f} {what}, the limit is {limit:g}"
        for what, value, limit in limits
        if limit is not None and value > limit
    ]


def main() -> None:
    """Print the costliest job of each stage among one per model or figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("override", nargs="*", help="study=…, scale=…, overrides")
    parser.add_argument("--check", action="store_true", help="fail above the limits")
    options = parser.parse_args()
    config = configuration(options.override)
    plan = open_plan(ROOT, config, main=True)
    if any(stale_jobs(plan.jobs(), ROOT)):
        raise SystemExit("finish the study first")
    broken = []
    seconds = no_op(config)
    if seconds > NO_OP_SECONDS:
        seconds = min(no_op(config) for _ in range(RUNS - 1))
    print(f"snakemake with nothing to do: {seconds:.2f} CPU-s")
    if seconds > NO_OP_SECONDS:
        broken.append(f"snakemake with nothing to do: {seconds:.2f} CPU-s, not {NO_OP_SECONDS:g}")
    alike: dict[tuple[str, str], list[Job]] = {}
    for job in plan.jobs():
        key = job.wildcards.get("model") or job.wildcards.get("figure") or ""
        alike.setdefault((job.stage, key), []).append(job)
    costs: dict[str, list[tuple[float, float, float, str]]] = {}
    whole = 0.0
    for (stage, key), jobs in alike.items():
        if stage != "verify":
            cost = least(plan, jobs[0])
            costs.setdefault(stage, []).append((*cost, key))
            whole += cost[0] * len(jobs)
    print(f"{'stage':<14}{'CPU-s (max)':>12}{'beside work':>12}{'peak MB':>9}  costliest")
    for stage, measured in costs.items():
        seconds, _, _, key = max(measured)
        beside, peak = (max(row[i] for row in measured) for i in (1, 2))
        print(f"{stage:<14}{seconds:>12.2f}{beside:>12.2f}{peak:>9.0f}  {key}")
        broken += exceeded(stage, seconds, beside, peak)
    print(f"all jobs, one of each kind for all: {whole:.0f} CPU-s, on {CORES} cores a half of it")
    if whole > CORES * STUDY_SECONDS:
        broken.append(f"the study: {whole:.0f} CPU-s, not {CORES} × {STUDY_SECONDS:g}")
    if options.check and broken:
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
