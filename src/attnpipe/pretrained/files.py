"""The files of a model's folder, and which of them are taken."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import system_errors

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS = "special_tokens_map.json"
CHAT_TEMPLATE = "chat_template.jinja"
README = "README.md"
FACTS = "attnpipe.json"
FILES = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, FACTS)
"""What `obtain` writes, no more and no less; the facts come last."""

MAX_ID = 1 << 24
"""Memory for a vocabulary goes by its largest id, whatever that is."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

# They lead a loader to code or files elsewhere, or choose what we choose: class, kernel, format.
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
    "_name_or_path",
    "name_or_path",
)


def check_names(names: Iterable[str], where: str) -> None:
    """Raise a `UserError` unless a folder with these files holds what is needed.

    Parameters
    ----------
    names
        Files of the folder.
    where
        The folder, for the message.
    """
    known = set(names)
    if CONFIG not in known:
        raise UserError(
            f"{where} has no {CONFIG}; give a folder as transformers' save_pretrained writes it"
        )
    if WEIGHTS not in known and INDEX not in known:
        pickles = sorted(name for name in known if name.endswith(PICKLES))
        found = f" but '{pickles[0]}', a pickle, which can run code when read" if pickles else ""
        raise UserError(
            f"{where} has no {WEIGHTS}{found}; save the model as safetensors and give that"
        )
    if TOKENIZER not in known:
        raise UserError(
            f"{where} has no {TOKENIZER}, without which nobody knows which characters a token "
            "covers; save the model's fast tokenizer there"
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
    except (OSError, ValueError, RecursionError) as error:
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


def _whole_numbers(document: Any) -> Iterator[int]:
    """Yield all whole numbers of a document, however deep."""
    rest = [document]
    while rest:
        value = rest.pop()
        if isinstance(value, dict | list):
            rest += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int):
            yield value


def plain_tokenizer(path: Path) -> Tokenizer:
    """Return a stored tokenizer that neither cuts nor pads: lengths are the study's business.

    Raises
    ------
    UserError
        The file holds no tokenizer.
    """
    document = read_object(path) | {"truncation": None, "padding": None}
    largest = max(_whole_numbers(document), default=0)
    if largest > MAX_ID:
        raise UserError(
            f"'{path}' has the number {largest}, but no vocabulary has more than {MAX_ID} tokens; "
            "get the file anew"
        )
    try:
        return Tokenizer.from_str(json.dumps(document))
    except Exception as error:  # the library raises plain exceptions only
        raise UserError(f"'{path}' holds no tokenizer ({error}); get the file anew") from None


def write_tokenizer(path: Path, tokenizer: Tokenizer) -> None:
    """Write a tokenizer; what the system refuses is an `OSError`."""
    with system_errors(Exception):  # the library raises plain exceptions only
        tokenizer.save(str(path))


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """Return what stands beside a tokenizer: special tokens, chat template, longest text."""
    names = (SPECIAL_TOKENS, TOKENIZER_CONFIG)
    settings: dict[str, Any] = {}
    for path in (folder / name for name in names):
        settings |= read_object(path) if path.is_file() else {}
    if (template := folder / CHAT_TEMPLATE).is_file():
        try:
            settings["chat_template"] = template.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read '{template}' ({error}); get the file anew") from None
    return {key: value for key, value in settings.items() if key not in DROPPED}
