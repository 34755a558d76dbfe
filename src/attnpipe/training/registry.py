"""Names of optimisers; looking one up imports only its module."""

from attnpipe.core.registry import Registry

OPTIMIZERS = Registry(
    "optimizer",
    {
        "adam": "attnpipe.training.adam:build",
        "adamw": "attnpipe.training.adamw:build",
    },
)
"""Name → ``build(parameters, spec) → torch.optim.Optimizer``."""
