"""What planning found out once and keeps for the next invocation: shortcuts, never results."""

import json
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text

CACHE = ".snakemake/grimp"
"""Where it lies, from the project folder."""


def read_kept(file: Path | None) -> dict[str, Any]:
    """Return what `keep` wrote; nothing where there is none, or where it cannot be read."""
    try:
        return dict(json.loads(file.read_text("utf-8"))) if file else {}
    except (OSError, ValueError, TypeError):
        return {}


def keep(file: Path | None, found: dict[str, Any]) -> None:
    """Write it down where that is possible: a folder that cannot be written costs time only."""
    if file:
        try:
            write_text(file, json.dumps(found))
        except UserError:
            return
