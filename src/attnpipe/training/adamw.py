"""AdamW (Loshchilov and Hutter 2019): decoupled weight decay."""

from collections.abc import Iterable

import torch

from attnpipe.schema.training import TrainingSpec
from attnpipe.training.eager import eager

_Eager = eager(torch.optim.AdamW)


def build(parameters: Iterable[torch.nn.Parameter], spec: TrainingSpec) -> torch.optim.Optimizer:
    """Return the optimiser."""
    return _Eager(parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True)
