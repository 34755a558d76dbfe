"""A study whose jobs have all run, as far as seals tell: a few bytes in each output."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from attnpipe.io.atomic import write_text
from attnpipe.io.seal import Inputs, write_seal
from attnpipe.pipeline.frozen import freeze, open_plan
from attnpipe.pipeline.plan import Job
from scaling.project import NAME


def write_jobs(project: Path) -> int:
    """Write and seal the outputs of all jobs of a study in a copy of the project.

    Returns
    -------
    int
        The number of jobs.
    """
    root = project.resolve()
    with chdir(root):  # the config and the seals name files from there, as jobs do
        plan = open_plan(root, {"study": NAME}, main=True)
        freeze(plan, root)
        return sum(_write_all(plan.jobs()))


def _write_all(jobs: Iterator[Job]) -> Iterator[int]:
    for job in jobs:
        written = [Path(name) for name in job.outputs]
        for path in written:
            write_text(path, f"{path}\n")
        read = Inputs.of(Path(name) for name in job.inputs)
        write_seal(job.seal, job.stage, job.param, written, read)
        for path in written:
            path.touch()  # as Snakemake does when a job has ended
        yield 1
