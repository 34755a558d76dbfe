"""Forecasters: a window of features in, one number out."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from attnpipe.schema.base import Name, Section
from attnpipe.schema.pretrained import PretrainedModel


class SimpleAttention(Section):
    """One linear score per step, query-free: `softmax(w·h_k + b)`."""

    kind: Literal["simple"]


class AdditiveAttention(Section):
    """All pairs, `v·tanh(W_q h_q + W_k h_k)`; contexts are summed over queries."""

    kind: Literal["additive"]
    size: Annotated[int, Field(ge=1)] = 128
    """Width of the scoring layer."""


class ScaledDotAttention(Section):
    """Hidden states with themselves, `h_q·h_k / √d`; contexts are averaged over queries."""

    kind: Literal["scaled_dot"]


AttentionSpec = Annotated[
    SimpleAttention | AdditiveAttention | ScaledDotAttention, Field(discriminator="kind")
]


class Forecaster(Section):
    """What every model has."""

    label: Annotated[str, Field(min_length=1, max_length=80)]
    """Name in figures and tables."""
    baseline: Name | None = None
    """Model without attention that this one is compared with."""


class MlpModel(Forecaster):
    """Fully connected layers over the last step or the flattened window."""

    kind: Literal["mlp"]
    input: Literal["last", "flat"]
    """`last`: the newest step; `flat`: the whole window."""
    hidden: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    """Width of each hidden layer."""


class LstmModel(Forecaster):
    """Stacked LSTM; the last hidden state, or attention over all of them, is read out linearly."""

    kind: Literal["lstm"]
    hidden: Annotated[int, Field(ge=1)]
    """Hidden units per layer."""
    layers: Annotated[int, Field(ge=1)]
    """Stacked layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout between layers."""
    attention: AttentionSpec | None = None
    """Attention over hidden states; null: the last hidden state is used."""

    @model_validator(mode="after")
    def _attention_names_its_baseline(self) -> "LstmModel":
        if self.attention is not None and self.baseline is None:
            raise ValueError("a model with attention must name its 'baseline' model")
        return self


class SavedModel(Forecaster):
    """A model known only by its saved attention weights."""

    kind: Literal["saved"]


ModelSpec = Annotated[
    MlpModel | LstmModel | SavedModel | PretrainedModel, Field(discriminator="kind")
]

_MODEL: TypeAdapter[MlpModel | LstmModel | SavedModel] = TypeAdapter(
    Annotated[MlpModel | LstmModel | SavedModel, Field(discriminator="kind")]
)


def parse_model(document: Mapping[str, Any]) -> MlpModel | LstmModel | SavedModel:
    """Return the model that a job's param describes; its label and baseline do not matter."""
    attention = document.get("attention") is not None
    unused = {"label": "unused", "baseline": "unused" if attention else None}
    return _MODEL.validate_python(unused | dict(document))
