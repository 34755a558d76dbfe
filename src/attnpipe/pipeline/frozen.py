"""The plan of this invocation: composed by the main process, frozen for every other.

Jobs on other machines parse the Snakefile again. They must not see a config or source
file that was edited meanwhile, so they read what the main process wrote when it started.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text
from attnpipe.io.json import canonical, parse_json
from attnpipe.pipeline.config import Study, load_study
from attnpipe.pipeline.fingerprint import Fingerprints
from attnpipe.pipeline.kept import CACHE
from attnpipe.pipeline.members import fingerprint_key
from attnpipe.pipeline.paths import RESULTS
from attnpipe.pipeline.plan import Plan
from attnpipe.pipeline.versions import versions
from attnpipe.saved_weights.files import RunFiles
from attnpipe.schema.study import SCHEMA_VERSION, StudySpec

FOLDER = ".snakemake/attnpipe"
FROZEN = "frozen"
"""Key of the one config value of other processes: the SHA-256 of the plan's text, in hex.

It travels through shells, which must find nothing of the config to take for their own.
"""
SAVED = TypeAdapter(Mapping[str, Mapping[int, RunFiles]])


def open_plan(root: Path, config: Mapping[str, Any], main: bool) -> Plan:
    """Return the plan of a study: composed now by the main process, else as it was frozen.

    Parameters
    ----------
    root
        The project folder: `config/`, `workflow/` and `results/` lie there.
    config
        What `--config` gave: study, scale, overrides; in other processes what `freeze` returned.
    main
        Whether this is the main Snakemake process.

    Raises
    ------
    UserError
        For anything that is wrong with the config, or with what was frozen.
    """
    if not main:
        return _thaw(root, str(config.get(FROZEN)))
    cache = root / CACHE
    study = load_study(root / "config", config, cache)
    return Plan(study, Fingerprints(root / "workflow" / "scripts", cache).of, versions())


def freeze(plan: Plan, root: Path) -> dict[str, str]:
    """Write what is planned; return what `--config` must give to other processes.

    `results/<study>/config.json` is the record: the resolved config and the software it runs.
    """
    study = plan.study
    document: dict[str, Any] = {
        "choice": dict(study.choice),
        "config": study.spec.model_dump(mode="json"),
        "fingerprints": plan.fingerprints(),
        "versions": dict(plan.versions),
    }
    write_text(root / RESULTS / study.spec.name / "config.json", _text(document))
    text = _text(document | {"saved": SAVED.dump_python(study.saved, mode="json")})
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_text(_frozen(root, digest), text)
    return {FROZEN: digest}


def _text(document: dict[str, Any]) -> str:
    # Keys stay in their order: that of the models is the order of tables and figures.
    return json.dumps({"schema": SCHEMA_VERSION} | document, indent=1, allow_nan=False) + "\n"


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


def _frozen(root: Path, digest: str) -> Path:
    return root / FOLDER / f"{digest}.json"


def _thaw(root: Path, digest: str) -> Plan:
    path = _frozen(root, digest)
    document = parse_json(path, SCHEMA_VERSION)
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise UserError(f"'{path}' is not what was frozen; run the same command again")
    spec = StudySpec.model_validate(document["config"])
    study = Study(spec, document["choice"], None, SAVED.validate_python(document["saved"]))
    hashes: dict[str, str] = document["fingerprints"]

    def fingerprint(script: str, members: Iterable[str] = ()) -> str:
        return hashes[fingerprint_key(script, members)]

    return Plan(study, fingerprint, document["versions"])
