"""Names of the composite folds; looking one up imports only its module."""

from attnpipe.core.registry import Registry

FOLDS = Registry(
    "fold",
    {
        "battery": "attnpipe.metrics.battery:Battery",
        "tokens": "attnpipe.metrics.tokens.battery:TokenBattery",
    },
)
"""Name → class made as ``cls(options)``; those of tokens as ``cls(options, texts)``."""
