"""The files of an obtained model, and what may stand in its config."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
FACTS = "attnpipe.json"
FILES = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, FACTS)
"""What `obtain` writes, no more and no less; the facts come last."""

# They lead the loader to code or files outside the folder, or choose a kernel for us.
DROPPED = (
    "auto_map",
    "custom_pipelines",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
    "fusion_config",
    "transformers_weights",
    "distributed_config",
    "output_attentions",
    "output_hidden_states",
    "dtype",
    "torch_dtype",
)


def read_object(path: Path) -> dict[str, Any]:
    """Return a file's JSON object.

    Raises
    ------
    UserError
        It is missing, no JSON, or not an object.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"'{path}' is missing; give a folder with {CONFIG}, {WEIGHTS}, {TOKENIZER} and "
            f"{TOKENIZER_CONFIG}, as save_pretrained writes them"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read '{path}' as JSON ({error}); get the file anew") from None
    if not isinstance(document, dict):
        raise UserError(f"'{path}' holds no JSON object; get the file anew")
    return document


def plain_config(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a model's config without what would run code or fetch files.

    Raises
    ------
    UserError
        The weights are quantised.
    """
    if document.get("quantization_config") is not None:
        raise UserError(
            f"'{path}' says that the weights are quantised ('quantization_config'); "
            "give the unquantised model"
        )
    return {key: value for key, value in document.items() if key not in DROPPED}
