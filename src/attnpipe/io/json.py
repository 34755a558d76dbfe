"""JSON documents: canonical text, a schema version, readable errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text
from attnpipe.io.seal import read_verified


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, document: dict[str, Any], schema: int = 1) -> None:
    """Write a document with its schema version, indented, keys sorted."""
    text = json.dumps({"schema": schema} | document, indent=1, sort_keys=True, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path, schema: int = 1) -> dict[str, Any]:
    """Return a document that a job wrote, checked against its seal and schema version."""
    return _parse(path, lambda: read_verified(path), schema)


def parse_json(path: Path, schema: int = 1) -> dict[str, Any]:
    """Return an unsealed document.

    Raises
    ------
    UserError
        When it is not JSON, not an object, or of another schema version.
    """
    return _parse(path, path.read_bytes, schema)


def _parse(path: Path, read: Callable[[], bytes], schema: int) -> dict[str, Any]:
    try:
        document = json.loads(read().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"cannot read '{path}' as JSON ({error}); delete it and run again"
        ) from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        raise UserError(
            f"'{path}' has schema version {found}, this program reads {schema}; "
            "delete it and run again"
        )
    del document["schema"]
    return dict(document)
