"""Scripts of jobs, run here on inputs of which a byte was flipped without a trace."""

import contextlib
import io
import os
import runpy
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from attnpipe.io.seal import sealed_mark
from attnpipe.pipeline import job as jobs
from attnpipe.pipeline.plan import Job, Plan

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
ONLY_THEIR_SEALS = {
    *((stage, "facts") for stage in ("extract_text", "intervene_text", "compress_text")),
    ("diagnose", "attempted"),
    ("report", "exports"),
    ("verify", "attempted"),
}
"""Stage and name of inputs that are not opened: what is asked of them stands in their seals, or
they only have to be there."""


class Wildcards(dict):
    """Values by name, as Snakemake gives them to scripts."""

    __getattr__ = dict.__getitem__

    def __iter__(self):
        return iter(self.values())


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@contextlib.contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Flip a byte of a file whose size and time are those in its seal, as faults of disks do.

    A job looks at these when it begins: what it reads all the same is for its script to verify.
    """
    content, stat = path.read_bytes(), path.stat()
    times = (stat.st_atime_ns, stat.st_mtime_ns)
    path.write_bytes(flipped(content))
    os.utime(path, ns=(sealed_mark(path).mtime_ns,) * 2)
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=times)


def said_by_script(plan: Plan, job: Job) -> str:
    """Run the script of a job, in this process; return what it printed if it failed."""
    given = SimpleNamespace(
        rule=job.stage,
        params=SimpleNamespace(spec=job.param),
        input=plan.inputs(job.stage, dict(job.wildcards)),
        output=plan.out(job.stage, **job.wildcards),
        wildcards=Wildcards(job.wildcards),
    )
    printed, before = io.StringIO(), signal.getsignal(signal.SIGINT)
    try:
        with contextlib.redirect_stderr(printed):
            runpy.run_path(str(SCRIPTS / f"{job.stage}.py"), init_globals={"snakemake": given})
    except SystemExit:
        return printed.getvalue()
    finally:
        signal.signal(signal.SIGINT, before)
    return ""


def inputs_looked_at(plan: Plan) -> Iterator[tuple[Job, str, Path]]:
    """Yield one job of each stage with each kind of its inputs that other jobs made."""
    made = {name for job in plan.jobs() for name in job.outputs}
    for job in {job.stage: job for job in plan.jobs()}.values():
        for name, paths in plan.inputs(job.stage, dict(job.wildcards)).items():
            several = [paths] if isinstance(paths, str) else list(paths)
            if several and several[-1] in made and (job.stage, name) not in ONLY_THEIR_SEALS:
                yield job, name, Path(several[-1])


def taken_unverified(plan: Plan, monkeypatch) -> tuple[set[str], list[str]]:
    """Return the stages looked at, and what their scripts take although it is damaged.

    The folder of the project is the current one.
    """
    monkeypatch.setattr(jobs, "_end_with", lambda parent: None)
    stages, taken = set(), []
    for job, name, path in inputs_looked_at(plan):
        stages.add(job.stage)
        with damaged(path):
            said = said_by_script(plan, job)
        if f"'{path}' is not what its job wrote (checksum differs)" not in said:
            taken.append(f"{job.stage}: {name} ({said.strip()})")
    return stages, taken
