"""The plan of this invocation: composed by the main process, frozen for every other.

Jobs on other machines parse the Snakefile again. They must not see a config or source
file that was edited meanwhile, so they read what the main process wrote when it started.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text
from attnpipe.io.json import canonical, parse_json
from attnpipe.pipeline.config import Study, choose, load_study
from attnpipe.pipeline.fingerprint import Fingerprints
from attnpipe.pipeline.members import fingerprint_key
from attnpipe.pipeline.paths import RESULTS
from attnpipe.pipeline.plan import Plan
from attnpipe.pipeline.versions import versions
from attnpipe.saved_weights.discover import discover
from attnpipe.schema.data import SavedWeightsData
from attnpipe.schema.study import SCHEMA_VERSION, StudySpec

CACHE = ".snakemake/grimp"
FROZEN = ".snakemake/attnpipe"


def open_plan(root: Path, config: Mapping[str, Any], main: bool) -> Plan:
    """Return the plan of a study: composed now by the main process, else as it was frozen.

    Parameters
    ----------
    root
        The project folder: `config/`, `workflow/` and `results/` lie there.
    config
        What `--config` gave: study, scale, overrides.
    main
        Whether this is the main Snakemake process.
    """
    if not main:
        return _thaw(root, choose(config))
    study = load_study(root / "config", config)
    return Plan(study, Fingerprints(root / "workflow" / "scripts", root / CACHE).of, versions())


def freeze(plan: Plan, root: Path) -> None:
    """Write `results/<study>/config.json`: the resolved config and the software it runs."""
    study = plan.study
    document: dict[str, Any] = {
        "choice": dict(study.choice),
        "config": study.spec.model_dump(mode="json"),
        "fingerprints": plan.fingerprints(),
        "versions": dict(plan.versions),
    }
    # Keys stay in their order: that of the models is the order of tables and figures.
    text = json.dumps({"schema": SCHEMA_VERSION} | document, indent=1, allow_nan=False) + "\n"
    write_text(root / RESULTS / study.spec.name / "config.json", text)
    write_text(_frozen(root, document["choice"]), text)


def is_recorded(plan: Plan, root: Path) -> bool:
    """Whether `config.json` of the study holds the planned config, in any order of keys.

    What jobs ask a cluster for is no part of that.

    It does not after a run with another config that was stopped, or when it was deleted;
    where nothing else is to be done, Snakemake would leave it so.
    """
    path = root / RESULTS / plan.study.spec.name / "config.json"
    try:
        recorded = parse_json(path, SCHEMA_VERSION)["config"]
    except (UserError, KeyError):
        return False
    planned = plan.study.spec.model_dump(mode="json")
    return _of_results(recorded) == _of_results(planned)


def _of_results(config: Mapping[str, Any]) -> str:
    return canonical({key: value for key, value in config.items() if key != "resources"})


def _frozen(root: Path, choice: Mapping[str, str]) -> Path:
    """Return where other processes find the plan: all they know is the command line."""
    key = hashlib.sha256(canonical(dict(choice)).encode()).hexdigest()[:24]
    return root / FROZEN / f"{key}.json"


def _thaw(root: Path, choice: dict[str, str]) -> Plan:
    document = parse_json(_frozen(root, choice), SCHEMA_VERSION)
    spec = StudySpec.model_validate(document["config"])
    saved = (
        discover(spec.data, Path(spec.data.path)) if isinstance(spec.data, SavedWeightsData) else {}
    )
    study = Study(spec, document["choice"], None, saved)
    hashes: dict[str, str] = document["fingerprints"]

    def fingerprint(script: str, members: Iterable[str] = ()) -> str:
        return hashes[fingerprint_key(script, members)]

    return Plan(study, fingerprint, document["versions"])
