"""From a model's config to a class of transformers itself; code of models is never run."""

from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_MAPPING_NAMES,
)

from attnpipe.core.errors import UserError
from attnpipe.pretrained.quiet import quiet
from attnpipe.schema.pretrained import Task

NEEDS = {
    "causal_lm": "a decoder with a language-model head",
    "encoder": "a bidirectional encoder of text",
}


def architecture(
    document: Mapping[str, Any], task: Task, path: Path
) -> tuple[PreTrainedConfig, type[PreTrainedModel]]:
    """Return the config and the class that a config file names, if it suits the task.

    Parameters
    ----------
    document
        Content of the config file.
    task
        What the model shall do.
    path
        The config file, for messages.

    Raises
    ------
    UserError
        The architecture is unknown to transformers, the config is not valid, or the class
        has another task.
    """
    kind = document.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise UserError(
            f"'{path}' has model_type '{kind}', which transformers "
            f"{metadata.version('transformers')} does not know and code from a model's "
            "repository is never run; choose a model of a known type"
        )
    try:
        with quiet():
            config = CONFIG_MAPPING[kind].from_dict(dict(document))
    except Exception as error:  # classes of configs compute with what a file says
        raise UserError(
            f"'{path}' is no valid config of a '{kind}' model ({_line(error)}); get the file anew"
        ) from None
    known = _classes(kind, task, config)
    named = document.get("architectures")
    named = named if isinstance(named, list) and named else known[:1]
    name = str(named[0]) if named else None
    if name not in known:
        says = f"architectures '{name}'" if name else f"model_type '{kind}'"
        raise UserError(
            f"'{path}' says {says}, but task '{task}' needs {NEEDS[task]}"
            f"{_advice(kind, name, task, config)}"
        )
    found: type[PreTrainedModel] = getattr(transformers, name)
    return config, found


def _classes(kind: str, task: Task, config: PreTrainedConfig) -> list[str]:
    """Return the names of classes that suit the task; the first is the usual one."""
    masked = _names(MODEL_FOR_MASKED_LM_MAPPING_NAMES.get(kind))
    if getattr(config, "is_encoder_decoder", False):
        return []
    if task == "causal_lm":
        bidirectional = masked and not getattr(config, "is_decoder", False)
        return [] if bidirectional else _names(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind))
    return [*_names(MODEL_MAPPING_NAMES.get(kind)), *masked] if masked else []


def _names(value: str | Iterable[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _advice(kind: str, name: str | None, task: Task, config: PreTrainedConfig) -> str:
    other: Task = "encoder" if task == "causal_lm" else "causal_lm"
    known = _classes(kind, other, config)
    fits = known and (name is None or name in known)
    return f"; set task to '{other}' or choose another model" if fits else "; choose another model"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
