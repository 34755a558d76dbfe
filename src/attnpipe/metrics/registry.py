"""Names of the composite folds; looking one up imports only its module."""

from attnpipe.core.registry import Registry

FOLDS = Registry("fold", {"battery": "attnpipe.metrics.battery:Battery"})
"""Name → class made as ``cls(options)``."""
