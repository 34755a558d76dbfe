"""From an obtained folder to a model that is ready to be observed."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedModel

from attnpipe.core.errors import UserError
from attnpipe.pretrained.architecture import architecture
from attnpipe.pretrained.files import CONFIG, WEIGHTS, plain_config, read_object
from attnpipe.pretrained.quiet import quiet
from attnpipe.pretrained.weights import check_finite
from attnpipe.schema.pretrained import DType, Task

DTYPES: dict[DType, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def load_model(
    folder: Path, task: Task, dtype: DType = "float32", *, untrained_seed: int | None = None
) -> PreTrainedModel:
    """Return a model in evaluation mode, from a folder that `obtain` wrote.

    Nothing is downloaded, no code from the folder is run, and the global generator, the log
    levels and the progress bars stay as they were.

    Parameters
    ----------
    folder
        With `config.json` and `model.safetensors`.
    task
        ``causal_lm``: a model with ``logits``; ``encoder``: the bare encoder with
        ``last_hidden_state``, without a head that the file may also have.
    dtype
        Format in which the model computes; stored weights are converted.
    untrained_seed
        None: the stored weights. A number: the same architecture with random weights,
        initialised as for training and drawn from this seed; no weights are read.

    Raises
    ------
    UserError
        The architecture is unknown or does not suit the task, or the weights are missing,
        unexpected, of another shape or not finite.
    """
    path = folder / CONFIG
    config, kind = architecture(plain_config(read_object(path), path), task, path)
    whole: Any  # transformers' own annotations lose the type
    with quiet(), torch.random.fork_rng(devices=[]):
        if untrained_seed is None:
            whole = _stored(folder, kind, config, DTYPES[dtype])
        else:
            torch.manual_seed(untrained_seed)
            whole = kind(config)
            whole.to(dtype=DTYPES[dtype])
    model: PreTrainedModel = whole.base_model if task == "encoder" else whole
    model.eval()
    model.requires_grad_(False)
    return model


def _stored(
    folder: Path, kind: Any, config: PreTrainedConfig, dtype: torch.dtype
) -> PreTrainedModel:
    weights = folder / WEIGHTS
    model: PreTrainedModel
    report: dict[str, Any]
    check_finite(weights)
    try:
        model, report = kind.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # so that the report names them
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(f"cannot load '{folder}' ({reason}); obtain the model anew") from None
    for name, stored, expected in sorted(report["mismatched_keys"]):
        raise UserError(
            f"tensor '{name}' in '{weights}' has shape {tuple(stored)} instead of "
            f"{tuple(expected)}, which {CONFIG} asks for; give weights and config of one model"
        )
    for name in sorted(report["missing_keys"]):
        raise UserError(
            f"tensor '{name}' of {kind.__name__} is missing in '{weights}'; "
            "give the whole checkpoint"
        )
    for name in sorted(report["unexpected_keys"]):
        raise UserError(
            f"tensor '{name}' in '{weights}' belongs to no part of {kind.__name__}, which "
            f"{CONFIG} names; give weights and config of one model"
        )
    return model
