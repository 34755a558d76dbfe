"""From stored weights back to a module, with every fault named."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from attnpipe.core.errors import UserError

CURE = "delete the run's checkpoints so that it is trained again"


def load_checkpoint(
    module: nn.Module, weights: Mapping[str, np.ndarray], *, run: str, checkpoint: str
) -> None:
    """Copy a checkpoint's tensors into the module.

    Parameters
    ----------
    module
        Takes the weights in place.
    weights
        Tensor name → array.
    run, checkpoint
        For messages.

    Raises
    ------
    UserError
        A tensor is missing, unknown, of another shape, or not finite.
    """
    where = f"of checkpoint '{checkpoint}' of run '{run}'"
    expected = module.state_dict()
    for name in expected:
        if name not in weights:
            raise UserError(f"tensor '{name}' {where} is missing: {CURE}")
    for name, array in weights.items():
        if name not in expected:
            raise UserError(f"tensor '{name}' {where} belongs to no part of the model: {CURE}")
        if array.shape != tuple(expected[name].shape):
            raise UserError(
                f"tensor '{name}' {where} has shape {array.shape} instead of "
                f"{tuple(expected[name].shape)}: {CURE}"
            )
        if not np.isfinite(array).all():
            raise UserError(
                f"tensor '{name}' {where} holds {int((~np.isfinite(array)).sum())} values that "
                f"are NaN or infinite: {CURE}"
            )
    module.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
