"""Which registry members a job's config names: their source counts in its fingerprint."""

from collections.abc import Iterable, Mapping
from typing import Any

from attnpipe.data.registry import SOURCES
from attnpipe.figures.registry import FIGURES
from attnpipe.metrics.registry import FOLDS
from attnpipe.models.registry import MODELS, attention_module
from attnpipe.pipeline.config import Study
from attnpipe.pipeline.estimate import stores_states
from attnpipe.schema.model import Attending
from attnpipe.schema.study import TOKENS
from attnpipe.tasks.registry import TASKS
from attnpipe.training.registry import OPTIMIZERS


def members(stage: str, wildcards: Mapping[str, Any], study: Study) -> list[str]:
    """Return the dotted modules of the registry members that a job uses."""
    spec = study.spec
    if stage == "prepare_data":
        return [SOURCES.module(spec.data.kind)]
    if stage == "figure":
        return [FIGURES.module(wildcards["figure"])]
    folded = stage in ("extract", "aggregate") and stores_states(spec, wildcards["model"])
    states = [FOLDS.module("battery")] if folded else []
    if stage not in ("train", "extract", "intervene", "compress"):
        return states
    model = study.models[wildcards["model"]]
    task = "tokens" if spec.data.kind in TOKENS else "windows"
    modules = [MODELS.module(model.kind), TASKS.module(task)]
    if isinstance(model, Attending) and model.attention is not None:
        modules.append(attention_module(model.kind, model.attention.kind))
    trains = stage == "train" or (stage == "intervene" and spec.intervention.finetune > 0)
    if trains and spec.training is not None:
        modules.append(OPTIMIZERS.module(spec.training.optimizer))
    return modules + states


def fingerprint_key(script: str, modules: Iterable[str]) -> str:
    """Return the name under which the fingerprint of a script with its members is kept."""
    return " ".join([script, *sorted(modules)])
