"""The plan of the study, composed once by the main process and frozen for all others."""

import os
import sys
from functools import cache
from inspect import signature
from pathlib import Path

from snakemake.common import overwrite_function_params

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import remove_leftovers
from attnpipe.pipeline.checked import Checked
from attnpipe.pipeline.controller import check_names, claim, job_prefix
from attnpipe.pipeline.frozen import freeze, is_recorded, open_plan
from attnpipe.pipeline.job import SENTENCES, interrupt_once
from attnpipe.pipeline.paths import RESULTS
from attnpipe.pipeline.room import shortage
from attnpipe.pipeline.staleness import forced_outputs, is_finished
from attnpipe.pipeline.uninterrupted import prefix

ROOT = Path(workflow.basedir)

# Ctrl-C while a job still imports is one sentence, as it is later.
shell.prefix(prefix())

# One thread per job: jobs fan out, and results must not depend on the machine's cores.
for library in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "POLARS_MAX"):
    os.environ[f"{library}_THREADS"] = "1"

# A job on a cluster uses the CPUs that it asked for: Snakemake would take all that it sees.
if workflow.remote_exec and "SLURM_CPUS_PER_TASK" in os.environ:
    workflow.global_resources["_cores"] = int(os.environ["SLURM_CPUS_PER_TASK"])


# glibc keeps what is freed for the next step: giving it back costs a training a quarter of its
# time in page faults.
os.environ["MALLOC_MMAP_THRESHOLD_"] = str(2**28)
os.environ["MALLOC_TRIM_THRESHOLD_"] = str(2**29)

try:
    plan = open_plan(ROOT, config, workflow.is_main_process)
except UserError as error:
    raise SystemExit(f"attnpipe: {error}")

wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    model="[A-Za-z0-9_-]+",
    figure="[a-z_]+",
    seed="[0-9]+",


# What went wrong in jobs is said once more at the end, below Snakemake's own lines.
if workflow.is_main_process:
    sentences = ROOT / ".snakemake" / "attnpipe" / f"sentences-{os.getpid()}.txt"
    os.environ[SENTENCES] = str(sentences)


onstart:
    interrupt_once()
    sentences.unlink(missing_ok=True)
    try:
        remove_leftovers(ROOT / RESULTS / plan.study.spec.name)
        hand_over(freeze(plan, ROOT))
        if lacks := shortage(plan, ROOT):
            print(f"attnpipe: {lacks}", file=sys.stderr)
    except UserError as error:
        raise SystemExit(f"attnpipe: {error}")


onerror:
    if sentences.exists():
        print("\n" + sentences.read_text("utf-8"), file=sys.stderr)
        sentences.unlink()


@cache
def begin():
    """Before the graph is judged: nobody else works on the study, and its jobs have a name."""
    unlimited()
    if workflow.remote_exec:  # it reads no profile: one that fails would hold up the others
        workflow.execution_settings.keep_going = True
    settings = workflow.executor_settings
    if not workflow.is_main_process or workflow.executor_plugin is None:
        return
    submits = hasattr(settings, "jobname_prefix")
    if submits:
        settings.jobname_prefix = job_prefix(plan.study.spec.name, ROOT)
    if not (workflow.dryrun or workflow.touch):
        try:
            if submits:
                check_names(plan.study.saved)
            claim(plan.study.spec.name, ROOT, submits)
        except UserError as error:
            raise SystemExit(f"attnpipe: {error}")


def checking_targets(prepare):
    """Before there is a graph, which would take a misspelt file for the fault of a rule."""

    def prepare_known(*given, **named):
        try:
            plan.check_targets(map(os.path.relpath, workflow.dag_settings.targets))
        except UserError as error:
            raise SystemExit(f"attnpipe: {error}")
        return prepare(*given, **named)

    return prepare_known


# Targets are not known while rules are read, and no rule is asked about a file that none makes.
if workflow.is_main_process:
    workflow._prepare_dag = checking_targets(workflow._prepare_dag)


def hand_over(values):
    """Give these config values to jobs, instead of those that this process was given.

    What was typed would go through the shells of a cluster, and files may be edited meanwhile.
    """
    workflow.config_settings.config_args = [f"{key}={value}" for key, value in values.items()]
    workflow.config_settings.configfiles = []


@cache
def force():
    """Seals tell what is out of date; Snakemake, asked for times alone, sees less of it.

    A report beside the record of another config is made again, and the record with it. The graph
    exists now, and is not yet judged.
    """
    if workflow.is_main_process:
        files = asked_files()
        jobs = plan.jobs() if files is None else plan.jobs_for(files)
        checked = Checked.of(ROOT, plan.study.spec.name)
        workflow.dag.forcefiles.update(forced_outputs(jobs, ROOT, checked))
        checked.keep(whole=files is None)
        if not is_recorded(plan, ROOT):
            workflow.dag.forcefiles.update(plan.out("report").values())


def asked_files():
    """The files that alone are asked for, from the project folder; None: all of the study."""
    asked = workflow.dag_settings
    first = workflow.scheduling_settings and workflow.scheduling_settings.prioritytargets
    others = asked.forcerun or asked.until or asked.omit_from or first
    if others or not asked.targets or any("/" not in target for target in asked.targets):
        return None
    return [os.path.relpath(target) for target in asked.targets]


def unlimited():
    """Lift Snakemake's limit of 100 jobs a second, unless another one was asked for.

    To keep it, the scheduler sets a new timer each time it looks at the jobs, and each timer
    makes it look again: every job that ends adds a look per second until the study ends.
    """
    limit = workflow.scheduling_settings and workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduling_settings.max_jobs_per_timespan = None


class Unfinished(set):
    """Files to be made whatever there is, without those of finished jobs."""

    finished = set()

    def update(self, files):
        super().update(file for file in files if file not in self.finished)


def keep_finished(job):
    """On a cluster, a job that is tried again does not repeat what its members have finished."""
    dag = workflow.dag
    if not isinstance(dag.forcefiles, Unfinished):
        dag.forcefiles = Unfinished(dag.forcefiles)
    if is_finished(job, ROOT):
        Unfinished.finished.update(job.outputs)


def inputs(stage):
    """Named inputs of a stage, from the plan."""

    def named(wildcards):
        begin()
        force()
        if workflow.remote_exec and workflow.execution_settings.attempt > 1:
            keep_finished(plan.job(stage, dict(wildcards)))
        return plan.inputs(stage, dict(wildcards))

    return inspected(named)


def spec(stage):
    """The one param of a stage, from the plan."""
    return inspected(lambda wildcards: plan.param(stage, dict(wildcards)))


def inspected(function):
    """Note what arguments a function takes: Snakemake would look at each of its calls."""
    overwrite_function_params(function, signature(function).parameters)
    return function


# Groups are of use on a cluster only, and what jobs ask for there, or where `--resources` limits
# something: for each job Snakemake puts it into all units.
SUBMITS = workflow.remote_exec or workflow.resource_settings.nodes is not None
LIMITS = {*workflow.global_resources} - {"_cores", "_nodes"}


def together(group):
    """Name of the group of a rule: what a cluster gets as one job."""
    return group if SUBMITS else None


def asked(stage):
    """What a stage asks for: more with each attempt."""
    if not (SUBMITS or LIMITS):
        return {}
    table = plan.resources(stage)
    return {
        "mem_mb": lambda wildcards, attempt: table.mem_mb * attempt,
        "runtime": lambda wildcards, attempt: table.runtime * attempt,
    } | ({"gpu": table.gpu} if table.gpu else {})
