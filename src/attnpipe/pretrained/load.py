"""From an obtained folder to a model that is ready to be observed."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from attnpipe.core.errors import UserError
from attnpipe.pretrained.architecture import architecture
from attnpipe.pretrained.files import CONFIG, WEIGHTS, plain_config, read_object
from attnpipe.pretrained.quiet import quiet
from attnpipe.pretrained.weights import check_finite, stored_counts
from attnpipe.schema.pretrained import DType, Task

DTYPES: dict[DType, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
SMALL = 1_000_000


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
        _check_size(kind, config, weights)
        model, report = kind.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # so that the report names them
            output_loading_info=True,
        )
    except (UserError, MemoryError):
        raise
    except Exception as error:  # what a config says can make a class fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
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


def _check_size(kind: Any, config: PreTrainedConfig, weights: Path) -> None:
    """Refuse a config of a far larger model than is stored, before memory is taken for it."""
    tensors, numbers = stored_counts(weights)
    layers = max((getattr(config, name, None) or 0 for name in LAYERS), default=0)
    if isinstance(layers, int) and layers > tensors:
        raise UserError(
            f"{CONFIG} asks for {layers} layers, but '{weights}' holds {tensors} tensors; "
            "give weights and config of one model"
        )
    with torch.device("meta"):  # shapes without memory
        wanted = sum(p.numel() for p in kind(config).parameters())
    if wanted > 2 * numbers + SMALL:  # tied weights are stored once
        raise UserError(
            f"{CONFIG} asks for {wanted} numbers, but '{weights}' holds {numbers}; "
            "give weights and config of one model"
        )
