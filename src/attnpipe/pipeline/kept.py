"""What planning found out once and keeps for the next invocation: shortcuts, never results."""

import hashlib
import json
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text

CACHE = ".snakemake/grimp"
"""Where it lies, from the project folder."""


def read_kept(file: Path | None) -> dict[str, Any]:
    """Return what `keep` wrote; nothing where there is none, or another than was written."""
    try:
        document = json.loads(file.read_text("utf-8")) if file else {}
        content = document.get("content", {})
        return content if document.get("sha256") == _digest(content) else {}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def keep(file: Path | None, found: dict[str, Any]) -> None:
    """Write it down where that is possible: a folder that cannot be written costs time only."""
    if file:
        try:
            write_text(file, json.dumps({"content": found, "sha256": _digest(found)}))
        except UserError:
            return


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
