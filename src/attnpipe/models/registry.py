"""Names of models and attention mechanisms; looking one up imports only its module."""

from attnpipe.core.registry import Registry

MODELS = Registry(
    "model kind",
    {
        "mlp": "attnpipe.models.mlp:Mlp",
        "lstm": "attnpipe.models.lstm:Lstm",
        "reader": "attnpipe.models.reader:Reader",
    },
)
"""Kind → class made as ``cls(spec, n_features, window)``."""

ATTENTIONS = Registry(
    "attention kind",
    {
        "simple": "attnpipe.models.simple:SimplePooling",
        "additive": "attnpipe.models.additive:AdditivePooling",
        "scaled_dot": "attnpipe.models.scaled_dot:ScaledDotPooling",
        "query": "attnpipe.models.query:QueryPooling",
        "uniform": "attnpipe.models.uniform:UniformPooling",
        "static": "attnpipe.models.static:StaticPooling",
    },
)
"""Kind → class made as ``cls(spec, size, layer=…, window=…)``; see `models.pooling`."""
