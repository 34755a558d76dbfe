"""Models: what reads a window of features, or of tokens."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from attnpipe.schema.base import Depth, Name, Section, Width
from attnpipe.schema.intervention import Arm
from attnpipe.schema.pretrained import PretrainedModel


class SimpleAttention(Section):
    """One linear score per step, query-free: `softmax(w·h_k + b)`."""

    kind: Literal["simple"]


class AdditiveAttention(Section):
    """All pairs, `v·tanh(W_q h_q + W_k h_k)`; contexts are summed over queries."""

    kind: Literal["additive"]
    size: Width = 128
    """Width of the scoring layer."""


class ScaledDotAttention(Section):
    """Hidden states with themselves, `h_q·h_k / √d`; contexts are averaged over queries."""

    kind: Literal["scaled_dot"]


class QueryAttention(Section):
    """The last step asks all steps: `(W_q h_T)·(W_k h_k) / √size`."""

    kind: Literal["query"]
    size: Width = 32
    """Width of queries and keys."""


class SelfAttention(Section):
    """Every token asks all before it and itself, in several heads; for transformers alone."""

    kind: Literal["self"]


class FixedAttention(Section):
    """Weights that see no content; contexts are averaged or summed over as many queries as steps."""

    kind: Literal["uniform", "static"]
    """`uniform`: equal weights; `static`: one learned logit per step, the same for every window."""
    reduce: Literal["mean", "sum"] = "mean"
    """As the attention it stands for: `sum` for `additive`, else `mean`."""


AttentionSpec = Annotated[
    SimpleAttention
    | AdditiveAttention
    | ScaledDotAttention
    | QueryAttention
    | SelfAttention
    | FixedAttention,
    Field(discriminator="kind"),
]


FIXED = ("uniform", "static")
POOLING = ("simple", "additive", "scaled_dot", "query", *FIXED)
"""Kinds of attention that make one vector of a window."""


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
    hidden: Annotated[list[Width], Field(min_length=1, max_length=1_024)]
    """Width of each hidden layer."""


class Attending(Forecaster):
    """A model that may attend over the states of its steps."""

    attention: AttentionSpec | None = None
    """Attention over hidden states; null: only the last one is used."""
    arms: list[Arm] = []
    """Variants trained anew, to see whether attention helps: `none` (R0) without attention, `uniform` (R1) and `static` (R2) with weights that see no content; `shuffled_labels` (L0) with its own attention, on targets of other items: how sharp attention gets where there is nothing to learn. It decides nothing."""
    shuffled_labels: bool = False
    """Whether it is trained and validated on the targets of other items, permuted by the run's seed; the test split is as it is. What the arm of that name sets."""

    @model_validator(mode="after")
    def _attention_and_arms_fit(self) -> "Attending":
        if self.arms and self.attention is None:
            raise ValueError("arms are variants of attention, and this model has none; remove them")
        if self.attention is not None:
            between_tokens = getattr(self, "kind", None) == "transformer"
            kinds = ("self", *FIXED) if between_tokens else POOLING
            if self.attention.kind not in kinds:
                raise ValueError(
                    f"attention.kind is '{self.attention.kind}', which this kind of model has not; "
                    f"choose one of {', '.join(kinds)}"
                )
        twice = sorted({arm for arm in self.arms if self.arms.count(arm) > 1})
        if twice:
            raise ValueError(f"arms: '{twice[0]}' is listed twice; list each arm once")
        return self


class LstmModel(Attending):
    """Stacked LSTM; the last hidden state, or attention over all of them, is read out linearly."""

    kind: Literal["lstm"]
    hidden: Width
    """Hidden units per layer."""
    layers: Depth
    """Stacked layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout between layers."""


class ReaderModel(Attending):
    """Each step is embedded by itself; the last step, and what attention brings it, is read out."""

    kind: Literal["reader"]
    width: Width = 32
    """Width of the embedded steps."""
    mask: Annotated[int, Field(ge=0)] | None = None
    """Feature that is above 0 for steps that exist; the others are padding. null: all exist."""


class TransformerModel(Attending):
    """Attention-only language model: layers of causal heads between embedding and readout."""

    kind: Literal["transformer"]
    width: Width = 64
    """Width of a token's vector."""
    layers: Depth = 2
    """Layers of attention."""
    heads: Depth = 4
    """Heads per layer; they share the width."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "TransformerModel":
        if self.width % self.heads:
            raise ValueError(
                f"width is {self.width}, which {self.heads} heads cannot share equally; change one"
            )
        return self


class SavedModel(Forecaster):
    """A model known only by its saved attention weights."""

    kind: Literal["saved"]


Trainable = MlpModel | LstmModel | ReaderModel | TransformerModel
"""What can be trained here."""

ModelSpec = Annotated[Trainable | SavedModel | PretrainedModel, Field(discriminator="kind")]

_MODEL: TypeAdapter[Trainable | SavedModel] = TypeAdapter(
    Annotated[Trainable | SavedModel, Field(discriminator="kind")]
)


def parse_model(document: Mapping[str, Any]) -> Trainable | SavedModel:
    """Return the model that a job's param describes; its label does not matter."""
    return _MODEL.validate_python({"label": "unused"} | dict(document))
