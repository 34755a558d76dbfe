"""Optimisers without torch's compiler."""

from inspect import unwrap
from typing import TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)

_WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def eager(kind: type[Kind]) -> type[Kind]:
    """Return a kind of optimiser that does the same without importing `torch._dynamo`.

    Its methods are wrapped to keep torch's compiler away, which imports it at their first call:
    longer than many a training here takes, where nothing is compiled.
    """
    methods = {name: unwrap(getattr(kind, name)) for name in _WRAPPED}
    step = torch.no_grad()(unwrap(kind.step))
    return type(kind.__name__, (kind,), methods | {"step": step})
