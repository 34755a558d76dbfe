"""What jobs ask a cluster for."""

from typing import Annotated

from pydantic import Field

from attnpipe.schema.base import Section


class JobResources(Section):
    """What one job of a rule asks for at its first attempt; results do not depend on it.

    The n-th attempt asks for n times the memory and the time. Jobs that are submitted as one
    (`docs/slurm.md`) ask for the sum of their times, and for the largest of the rest.
    """

    mem_mb: Annotated[int, Field(ge=600)]
    """Memory in MB; 400 of it are Snakemake's own."""
    runtime: Annotated[int, Field(ge=1)]
    """Time limit in minutes."""
    threads: Annotated[int, Field(ge=1)] = 1
    """CPUs. Numerical libraries use one, so that results do not depend on it."""
    gpu: Annotated[int, Field(ge=0)] = 0
    """GPUs."""
