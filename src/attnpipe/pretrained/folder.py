"""From a folder in the layout of Hugging Face to the four files that are needed of it."""

import re
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from attnpipe.core.errors import UserError
from attnpipe.io.space import check_space
from attnpipe.pretrained.architecture import architecture
from attnpipe.pretrained.document import write_document
from attnpipe.pretrained.files import (
    CONFIG,
    INDEX,
    README,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
    check_names,
    plain_config,
    plain_tokenizer,
    read_object,
    tokenizer_settings,
    write_tokenizer,
)
from attnpipe.pretrained.weights import check_finite, open_weights
from attnpipe.schema.pretrained import Task

LICENCE = re.compile(r"^license:[ \t]*([\w.-]+)[ \t]*$", re.M)


def take_folder(origin: Path, target: Path, task: Task) -> dict[str, Any]:
    """Copy config, weights and tokenizer of a model, checked; nothing else is looked at.

    The weights are copied, not linked, so that what happens to results never reaches the
    origin. Weights in several files become one.

    Parameters
    ----------
    origin
        Folder with `config.json`, `model.safetensors` (or its parts with an index) and
        `tokenizer.json`; further files are left alone.
    target
        Exists already.
    task
        Which the architecture must suit.

    Returns
    -------
    dict
        ``licence``, if the folder's README states one.

    Raises
    ------
    UserError
        A file is missing or faulty, the weights are a pickle or not finite, the architecture
        does not suit the task, or the disk has no room.
    """
    if not origin.is_dir():
        raise UserError(f"'{origin}' is no folder; give the folder of a model")
    check_names((path.name for path in origin.iterdir()), f"'{origin}'")
    config = plain_config(read_object(origin / CONFIG), origin / CONFIG)
    architecture(config, task, origin / CONFIG)
    tokenizer = plain_tokenizer(origin / TOKENIZER)
    parts = weight_files(origin)
    check_space(target, sum(path.stat().st_size for path in parts))
    for part in parts:
        check_finite(part)
    if len(parts) == 1:
        shutil.copyfile(parts[0], target / WEIGHTS)
    else:
        _merge(parts, target / WEIGHTS)
    write_tokenizer(target / TOKENIZER, tokenizer)
    write_document(target / CONFIG, config)
    write_document(target / TOKENIZER_CONFIG, tokenizer_settings(origin))
    return {"licence": stated_licence(origin / README)}


def weight_files(folder: Path) -> list[Path]:
    """Return the file with all weights, or those that the index names.

    Raises
    ------
    UserError
        The index is faulty, or a part is missing.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    names = read_object(index).get("weight_map")
    parts = sorted({str(name) for name in names.values()}) if isinstance(names, dict) else []
    if not parts:
        raise UserError(f"'{index}' names no file in 'weight_map'; get the file anew")
    for name in parts:
        if "/" in name or not name.endswith(".safetensors") or not (folder / name).is_file():
            raise UserError(
                f"'{index}' names '{name}', which is no safetensors file of that folder; "
                "get the whole model"
            )
    return [folder / name for name in parts]


def _merge(parts: list[Path], target: Path) -> None:
    tensors: dict[str, Tensor] = {}
    for part in parts:
        with open_weights(part) as handle:
            tensors |= {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    save_file(tensors, target, metadata={"format": "pt"})


def stated_licence(readme: Path) -> str | None:
    """Return the licence in the head of a model card, if there is one."""
    if not readme.is_file():
        return None
    before, opened, rest = readme.read_text("utf-8", errors="replace").partition("---\n")
    match = LICENCE.search(rest.partition("\n---")[0]) if opened and not before else None
    return match[1] if match else None
