"""The generated pages of the documentation."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnpipe.diagnosis.schema import Diagnosis
from attnpipe.pipeline.pages_configuration import configuration_page
from attnpipe.pipeline.pages_results import results_page


def pages(config_folder: Path) -> Mapping[str, str]:
    """Return file name → text of every page that is generated from the code."""
    return {
        "configuration.md": configuration_page(config_folder),
        "results.md": results_page(),
        "diagnosis.schema.json": json.dumps(diagnosis_schema(), indent=1) + "\n",
    }


def diagnosis_schema() -> dict[str, Any]:
    """Return the JSON schema of `diagnosis.json`: a diagnosis, with the version of its file."""
    document = Diagnosis.model_json_schema()
    file_version = {"const": 1, "description": "Version of the form in which files are written."}
    document["properties"] = {"schema": file_version, **document["properties"]}
    return document
