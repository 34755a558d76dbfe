"""The generated pages of the documentation."""

import json
from collections.abc import Mapping
from pathlib import Path

from attnpipe.diagnosis.schema import Diagnosis
from attnpipe.pipeline.pages_configuration import configuration_page
from attnpipe.pipeline.pages_results import results_page


def pages(config_folder: Path) -> Mapping[str, str]:
    """Return file name → text of every page that is generated from the code."""
    return {
        "configuration.md": configuration_page(config_folder),
        "results.md": results_page(),
        "diagnosis.schema.json": json.dumps(Diagnosis.model_json_schema(), indent=1) + "\n",
    }
