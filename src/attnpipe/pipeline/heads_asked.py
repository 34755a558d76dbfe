"""Single heads that a config asks for, held against what a model has."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.io.json import parse_json
from attnpipe.schema.study import SCHEMA_VERSION

LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
"""How configs of transformers call them."""
HEAD = re.compile(r"l([0-9]+)(?:h([0-9]+))?")

Asked = Sequence[tuple[str, int, int | None]]
"""Key of the config, layer, head; no head: all of the layer."""


def heads_asked(config: Mapping[str, Any]) -> Asked:
    """Return the heads and layers that the resolved config of a study names, and where."""
    keywords = config["figure"]["show"].get("keywords") or {}
    named = [("analysis.text.views", view) for view in config["analysis"]["text"]["views"]]
    named.append(("figure.show.keywords.view", keywords.get("view") or ""))
    matches = [(key, HEAD.fullmatch(view)) for key, view in named]
    return [(key, int(m[1]), None if m[2] is None else int(m[2])) for key, m in matches if m]


def frozen_heads(study: Path) -> Asked:
    """Return what the study in this folder of results asks for.

    A job's results do not depend on it, so it is no param: it can only end the job early.
    """
    path = study / "config.json"
    return heads_asked(parse_json(path, SCHEMA_VERSION)["config"]) if path.exists() else []


def check_heads(asked: Asked, model: str, config: Mapping[str, Any]) -> None:
    """Refuse heads that a model does not have.

    Parameters
    ----------
    asked
        As of `heads_asked`.
    model
        Name of the model.
    config
        Its ``config.json``; one that does not tell layers and heads refuses nothing.

    Raises
    ------
    UserError
        The first such head, with the nearest that there is.
    """
    layers, heads = (_number(config, names) for names in (LAYERS, HEADS))
    if layers is None or heads is None:
        return
    for key, layer, head in asked:
        if layer >= layers or (head or 0) >= heads:
            nearest = None if head is None else min(head, heads - 1)
            raise UserError(
                f"{key} names '{_name(layer, head)}', but models.{model} has layers 0 to "
                f"{layers - 1} and heads 0 to {heads - 1}; the nearest is "
                f"'{_name(min(layer, layers - 1), nearest)}'"
            )


def heads_in(path: Path) -> int | None:
    """Return the heads over all layers by a model's ``config.json``; None if it does not tell."""
    config = model_config(path)
    layers, heads = (_number(config, names) for names in (LAYERS, HEADS))
    return None if layers is None or heads is None else layers * heads


def model_config(path: Path) -> Mapping[str, Any]:
    """Return a model's own config, empty where it cannot be told yet."""
    try:
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError:
        return {}  # obtaining the model says what is wrong with it
    return found if isinstance(found, dict) else {}


def _name(layer: int, head: int | None) -> str:
    return f"l{layer}" if head is None else f"l{layer}h{head}"


def _number(config: Mapping[str, Any], names: Sequence[str]) -> int | None:
    found = next((config[name] for name in names if name in config), None)
    return found if isinstance(found, int) else None
