"""From a model's config to a torch module."""

import torch
from torch import nn

from attnpipe.core.errors import UserError
from attnpipe.models.registry import MODELS
from attnpipe.schema.model import SavedModel, Trainable


def build_model(spec: Trainable | SavedModel, inputs: int, window: int, *, seed: int) -> nn.Module:
    """Return a freshly initialised model.

    Parameters
    ----------
    spec
        The model.
    inputs, window
        Features per step, or distinct tokens; steps per window.
    seed
        Drives the initialisation, which depends on nothing else; the global generator
        is left as it was.

    Returns
    -------
    Module
        ``windows [sample, step, feature] → forecast [sample]`` in scaled target units, or
        ``tokens [sample, token] → logits [sample, token, word]``.

    Raises
    ------
    UserError
        The model is known only by its saved weights.
    """
    if isinstance(spec, SavedModel):
        raise UserError(
            f"model '{spec.label}' has kind 'saved', which cannot be trained: "
            "choose another kind, or a study on saved weights"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module: nn.Module = MODELS.load(spec.kind)(spec, inputs, window)
    return module


def count_parameters(spec: Trainable | SavedModel, inputs: int, window: int) -> int:
    """Return the number of trainable parameters, without allocating them."""
    with torch.device("meta"):
        module = build_model(spec, inputs, window, seed=0)
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
