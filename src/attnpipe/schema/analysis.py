"""What is measured, and by which margins it is judged."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from attnpipe.core.registry import nearest
from attnpipe.schema.base import Fraction, Section, distinct

Count = Annotated[int, Field(ge=1)]


class CaptureSpec(Section):
    """How much of the attention is stored."""

    max_megabytes: Annotated[float, Field(gt=0)] = 64.0
    """Weights stored per run; above it, states of the folds and as many full samples as fit."""
    shuffled_inputs: bool = True
    """Whether the final weights also read the probe set with the steps or tokens of each sample in random order: what a row keeps of its shape then does not rest on order. For models that are trained here."""


class MetricsSpec(Section):
    """Options of the metrics of a run."""

    top_k: list[Count] = [5, 10, 20]
    """k of the top-k mass and excess."""
    recent_k: list[Count] = [5, 10, 20]
    """k of the recent-k mass and excess, and of the published `profile_recent_mass_k`."""
    _distinct = field_validator("top_k", "recent_k")(distinct)
    peak_tolerance: Annotated[float, Field(ge=0)] = 1e-3
    """A peak is resolved when the largest weight exceeds the second by more than this."""
    row_tolerance: Annotated[float, Field(gt=0)] = 1e-5
    """Largest |row sum − 1| of a valid row."""


class ContrastSpec(Section):
    """Options of the comparison between models."""

    delta: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Practical margin δ, in units of the model's skill."""
    accuracy_threshold: Annotated[float, Field(gt=0)]
    """A forecast is accurate when its absolute error is below this (units of the target); every study sets its own, `study=csv` leaves it to you."""


VIEWS = ["last_layer", "mean", "max", "rollout"]
HEAD_VIEW = re.compile(r"l[0-9]{1,4}h[0-9]{1,4}")
"""One head, as ``l3h2``."""
LAYER_VIEW = re.compile(r"l[0-9]{1,4}")
"""The mean of a layer's heads, as ``l3``."""


def _known(view: str) -> str:
    if view not in VIEWS and not (HEAD_VIEW.fullmatch(view) or LAYER_VIEW.fullmatch(view)):
        raise ValueError(
            f"'{view}' is no view: {nearest(view, VIEWS)}; or one head as l3h2, one layer as l3"
        )
    return view


View = Annotated[str, AfterValidator(_known)]


class AnswerSpec(Section):
    """What is done to a language model's attention while it answers."""

    interventions: list[Literal["uniform", "position_mean", "permuted"]] = [
        "uniform", "position_mean", "permuted",
    ]  # fmt: skip
    """What weights are replaced by: `uniform` (E2) equal ones, `position_mean` (E3) their mean at that position over the other half of the texts that are read together, `permuted` (E4) those of another question."""
    variants: list[str] | None = None
    """Variants in which it is done; `<k>_shot` are those with examples; null: all."""
    layer_groups: Annotated[int, Field(ge=1, le=6)] = 6
    """Groups of neighbouring layers in which it is done beside the whole model; 1: none."""

    _distinct = field_validator("interventions", "variants")(distinct)


class TextSpec(Section):
    """Options of studies of texts."""

    sinks: list[Literal["special", "first"]] = ["special", "first"]
    """Keys that count as sinks: `special` tokens that the tokenizer added, the `first` token. Every metric is also given without them."""
    representative_question: Annotated[int, Field(ge=0)] = 0
    """Question whose texts are shown token by token and stored in full."""
    views: Annotated[list[View], Field(min_length=1)] = ["last_layer", "mean", "max", "rollout"]
    """What its maps show: `last_layer` (mean over heads), `mean` and `max` over all layers and heads, `rollout` through all layers (Abnar and Zuidema 2020), one head as `l3h2`, or the mean of one layer's heads as `l3`."""
    head_metrics: list[str] = [
        "entropy", "entropy_normalized", "effective_keys_n1", "kl_uniform", "gini", "max_weight",
        "lag_mean", "lag_mean_ratio",
    ]  # fmt: skip
    """Row metrics kept for every head and text; the others are kept as means over the heads of a layer. `entropy`, `entropy_normalized` and `max_weight`, which tell heads apart, are kept for every head anyway."""
    mass_margin: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Practical margin: differences in attention mass below it do not matter."""
    accuracy_range: Annotated[list[Fraction], Field(min_length=2, max_length=2)] = [0.2, 0.8]
    """Share of right answers between which attention can be related to being right."""
    answers: AnswerSpec = AnswerSpec()
    """Whether answers rest on attention; for prompts alone."""
    clusters: Annotated[int, Field(ge=2)] = 8
    """Groups of alike heads."""
    dense_limit: Annotated[int, Field(ge=2)] = 1024
    """Tokens above which nothing is computed that needs a weight per query and key. Longer texts of the representative question are named in table `answers` and in the report, and have no maps and no part in distances between heads; E3 is left out of longer ones."""

    _distinct = field_validator("views", "head_metrics")(distinct)

    @field_validator("accuracy_range")
    @classmethod
    def _is_a_range(cls, value: list[float]) -> list[float]:
        if value[0] >= value[1]:
            raise ValueError(f"{value[0]} is not below {value[1]}; give the lower share first")
        return value


class AnalysisSpec(Section):
    """Everything between capture and figures."""

    capture: CaptureSpec = CaptureSpec()
    """Storage of attention."""
    metrics: MetricsSpec = MetricsSpec()
    """Metrics of a run."""
    contrast: ContrastSpec
    """Comparison between models."""
    text: TextSpec = TextSpec()
    """Studies of texts; unused in others."""
