"""Which software made a report."""

import platform
from importlib import metadata

NAMED = ("attnpipe", "torch", "numpy", "scipy", "polars", "matplotlib", "snakemake", "hydra-core")


def versions() -> dict[str, str]:
    """Return the version of Python and of the packages that matter to results."""
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in NAMED}}
