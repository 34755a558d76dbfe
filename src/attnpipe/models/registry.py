"""Names of models and attention mechanisms; looking one up imports only its module."""

from attnpipe.core.registry import Registry

MODELS = Registry(
    "model kind",
    {
        "mlp": "attnpipe.models.mlp:Mlp",
        "lstm": "attnpipe.models.lstm:Lstm",
        "reader": "attnpipe.models.reader:Reader",
        "transformer": "attnpipe.models.transformer:Transformer",
    },
)
"""Kind → class made as ``cls(spec, inputs, window)``; inputs: features, or distinct tokens."""

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

LAYERS = Registry(
    "attention kind",
    {
        "self": "attnpipe.models.self_attention:SelfAttention",
        "uniform": "attnpipe.models.causal_fixed:CausalUniform",
        "static": "attnpipe.models.causal_fixed:CausalStatic",
    },
)
"""Kind → layer of a transformer made as ``cls(spec, layer, window)``; see `models.causal`."""


def attention_module(model: str, attention: str) -> str:
    """Return the module that holds a kind of attention in a kind of model."""
    return (LAYERS if model == "transformer" else ATTENTIONS).module(attention)
