"""AdamW (Loshchilov and Hutter 2019): decoupled weight decay."""

from collections.abc import Iterable

import torch

from attnpipe.schema.training import TrainingSpec


def build(parameters: Iterable[torch.nn.Parameter], spec: TrainingSpec) -> torch.optim.Optimizer:
    """Return the optimiser."""
    return torch.optim.AdamW(
        parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True
    )
