"""Which software made a report."""

import platform
from importlib import metadata

FINDINGS = ("python", "attnpipe", "torch", "numpy", "scipy", "polars")
"""Of what is named below, what tables and findings rest on; saved weights need no torch."""
NAMED = (*FINDINGS[1:], "matplotlib", "snakemake", "hydra-core")


def versions() -> dict[str, str]:
    """Return the version of Python and of the packages that matter to results."""
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in NAMED}}
