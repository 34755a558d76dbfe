"""The command line that runs what is missing."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

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
    kept = [o for o in _split(str(choice.get("overrides", ""))) if _key(o) not in keys]
    overrides = " ".join([*kept, *additions])
    words = [f"{k}={choice[k]}" for k, v in DEFAULTS.items() if choice.get(k, v) != v]
    config = " ".join([*words, f"overrides={shlex.quote(overrides)}"])
    return f"snakemake --cores {CORES} --config {config}"


def _key(override: str) -> str:
    """Return the key of an override, whether it sets it or adds it."""
    return override.partition("=")[0].lstrip("+")


def _split(text: str) -> list[str]:
    """Split at white space outside brackets and quotes; the text was understood before."""
    return re.findall(r"(?:[^\s\[\]{}'\"]|\[[^\]]*\]|\{[^}]*\}|'[^']*'|\"[^\"]*\")+", text)
