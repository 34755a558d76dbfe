"""Adam (Kingma and Ba 2015); weight decay enters the gradient."""

from collections.abc import Iterable

import torch

from attnpipe.schema.training import TrainingSpec
from attnpipe.training.eager import eager

_Eager = eager(torch.optim.Adam)


def build(parameters: Iterable[torch.nn.Parameter], spec: TrainingSpec) -> torch.optim.Optimizer:
    """Return the optimiser."""
    return _Eager(parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True)
