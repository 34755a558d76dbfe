"""The command line that runs what is missing."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from attnpipe.core.overrides import split_overrides

DEFAULTS = {"study": "geomagnetic", "scale": "quick"}
CORES = 2


def command(choice: Mapping[str, Any], additions: Sequence[str]) -> str:
    """Return what was run, with more overrides, as it can be pasted into a shell.

    Parameters
    ----------
    choice
        What was chosen on the command line: `study`, `scale`, `overrides`; may be empty.
    additions
        Overrides that take the place of those of the same key.
    """
    keys = {_key(a) for a in additions}
    kept = [o for o in split_overrides(str(choice.get("overrides", ""))) if _key(o) not in keys]
    overrides = " ".join([*kept, *additions])
    words = [f"{k}={choice[k]}" for k, v in DEFAULTS.items() if choice.get(k, v) != v]
    config = " ".join([*words, f"overrides={shlex.quote(overrides)}"])
    return f"snakemake --cores {CORES} --config {config}"


def _key(override: str) -> str:
    """Return the key of an override, whether it sets it or adds it."""
    return override.partition("=")[0].lstrip("+")
