"""JSON as the folder of a model holds it: without a schema version, keys sorted."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnpipe.io.atomic import write_text


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object, readable and always with the same bytes."""
    text = json.dumps(dict(document), indent=1, sort_keys=True, ensure_ascii=False)
    write_text(path, text + "\n")
