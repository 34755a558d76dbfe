"""A whole study."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from attnpipe.schema.analysis import AnalysisSpec
from attnpipe.schema.arms import identity
from attnpipe.schema.base import Name, Section
from attnpipe.schema.compression import CompressionSpec
from attnpipe.schema.data import DataSpec
from attnpipe.schema.figure import FigureSpec
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.schema.model import ModelSpec
from attnpipe.schema.resources import JobResources
from attnpipe.schema.sizes import SizesSpec
from attnpipe.schema.training import TrainingSpec

SCHEMA_VERSION = 1
WANTED = {"saved_weights": "saved", "prompts": "pretrained", "sentences": "pretrained"}
"""Kind of data → the one kind of model that fits it; others need models to train."""

TOKENS = ("induction",)
"""Kinds of data that are sequences of tokens."""


class StudySpec(Section):
    """The resolved config: everything a study depends on."""

    name: Name
    """Name of the study: its results lie in `results/<name>/`."""
    title: str
    """Title of the report."""
    scale: Literal["quick", "published"]
    """Which sizes were chosen."""
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]]
    """Seeds of the runs: each drives initialisation and data order only. For saved weights they are found in the folder; a list here selects among them."""
    sizes: SizesSpec
    """Sizes of the models, set by the scale."""
    data: DataSpec
    """The data, or the saved weights."""
    models: dict[Name, ModelSpec]
    """Model name → model."""
    training: TrainingSpec | None = None
    """How models are trained; null for saved weights."""
    analysis: AnalysisSpec
    """What is measured."""
    intervention: InterventionSpec = InterventionSpec()
    """What is done to attention, to see what it is good for."""
    compression: CompressionSpec = CompressionSpec()
    """What is left out of the input, to see how much of it is needed; for tokens and prompts."""
    figure: FigureSpec
    """What is drawn."""
    resources: dict[Name, JobResources]
    """Rule → what its jobs ask a cluster for."""

    @model_validator(mode="after")
    def _seeds_are_distinct(self) -> "StudySpec":
        duplicates = sorted({s for s in self.seeds if self.seeds.count(s) > 1})
        if duplicates:
            raise ValueError(f"seeds: {duplicates[0]} is listed twice; list each seed once")
        if not self.seeds:
            raise ValueError("seeds: the list is empty; name at least one seed")
        return self

    @model_validator(mode="after")
    def _models_fit_the_data(self) -> "StudySpec":
        if not self.models:
            raise ValueError("models: none is left; keep at least one model")
        wanted = WANTED.get(self.data.kind)
        for name, model in self.models.items():
            if wanted != (model.kind if model.kind in WANTED.values() else None):
                raise ValueError(
                    f"models.{name}.kind is '{model.kind}', which does not fit data.kind "
                    f"'{self.data.kind}'; saved models need saved weights, pretrained ones "
                    "prompts or sentences, and no others"
                )
        reads_tokens = self.data.kind in TOKENS
        for name, model in self.models.items():
            if wanted is None and (model.kind == "transformer") != reads_tokens:
                raise ValueError(
                    f"models.{name}.kind is '{model.kind}', which does not fit data.kind "
                    f"'{self.data.kind}'; transformers read tokens ({', '.join(TOKENS)}), the "
                    "other kinds read windows of numbers"
                )
        if self.training is None and wanted is None:
            raise ValueError(
                "training: null is only for saved weights and pretrained models; choose a scale"
            )
        return self

    @model_validator(mode="after")
    def _pretrained_models_have_one_run(self) -> "StudySpec":
        pretrained = WANTED.get(self.data.kind) == "pretrained"
        if pretrained and len(self.seeds) != 1:
            raise ValueError(
                f"seeds: {self.seeds}, but a pretrained model has one run; set seeds=[0] "
                "(questions are drawn by data.seed)"
            )
        if self.data.kind == "prompts":
            for name, model in self.models.items():
                if getattr(model, "task", None) == "encoder":
                    raise ValueError(
                        f"models.{name}.task is 'encoder', which cannot answer prompts; use "
                        "study=encoder or a causal_lm"
                    )
        return self

    @model_validator(mode="after")
    def _baselines_exist(self) -> "StudySpec":
        for name, model in self.models.items():
            baseline = model.baseline
            needed = model.kind == "lstm" and model.attention is not None
            if baseline is None and not needed:
                continue
            others = [
                other
                for other, candidate in self.models.items()
                if other != name and not getattr(candidate, "attention", None)
            ]
            if baseline is None:
                raise ValueError(
                    f"models.{name}.baseline is null, but a model with attention must name one "
                    f"without, to be compared with ({', '.join(others) or 'there is none'})"
                )
            if baseline in self.models and baseline != name:
                continue  # whether it has attention is judged below
            if baseline not in others:
                raise ValueError(
                    f"models.{name}.baseline is '{baseline}', which is no other model of the "
                    f"study: name one without attention ({', '.join(others) or 'there is none'}) "
                    f"or remove models.{name}, too"
                )
        return self

    @model_validator(mode="after")
    def _baselines_have_no_attention(self) -> "StudySpec":
        for name, model in self.models.items():
            if model.baseline and getattr(self.models[model.baseline], "attention", None):
                raise ValueError(
                    f"models.{name}.baseline is '{model.baseline}', which has attention itself; "
                    "name a model without"
                )
        return self

    @model_validator(mode="after")
    def _no_model_counts_twice(self) -> "StudySpec":
        owner: dict[str, str] = {}
        for name, model in self.models.items():
            if model.kind == "saved":  # nothing is known of it but its name
                continue
            first = owner.setdefault(identity(model), name)
            if first != name:
                raise ValueError(
                    f"models.{name} is models.{first} under another name, and would count twice; "
                    f"change what it computes, or remove it: ~models.{name}"
                )
        return self

    @model_validator(mode="after")
    def _labels_tell_models_apart(self) -> "StudySpec":
        owner: dict[str, str] = {}
        for name, model in self.models.items():
            first = owner.setdefault(model.label, name)
            if first != name:
                raise ValueError(
                    f"models.{name}.label is '{model.label}', as that of models.{first}; "
                    f"give it one of its own, e.g. models.{name}.label={name}"
                )
        return self

    @model_validator(mode="after")
    def _options_fit(self) -> "StudySpec":
        seed = self.figure.representative_seed
        if seed is not None and seed not in self.seeds:
            raise ValueError(
                f"figure.representative_seed is {seed}, which is not among the seeds "
                f"{self.seeds}; choose one of them or null"
            )
        share = self.intervention.finetune
        if share > 0 and self.training is None:
            raise ValueError(
                f"intervention.finetune is {share:g}, but no model of this study is trained here; "
                "set it to 0"
            )
        shown = self.analysis.text.representative_question
        questions = getattr(self.data, "questions", getattr(self.data, "count", None))
        if questions is not None and shown >= questions:
            raise ValueError(
                f"analysis.text.representative_question is {shown}, but there are {questions} "
                f"questions or sentences; choose one of 0 to {questions - 1}"
            )
        window = getattr(self.data, "window", None)
        options = self.analysis.metrics
        for key in ("top_k", "recent_k"):
            too_large = [k for k in getattr(options, key) if window is not None and k >= window]
            if too_large:
                raise ValueError(
                    f"analysis.metrics.{key} has {too_large[0]}, but a window has only "
                    f"{window} steps; keep k below it"
                )
        local = self.intervention.window
        replaced = self.training is not None and "local_window" in self.intervention.names
        if replaced and window is not None and local >= window:
            raise ValueError(
                f"intervention.window is {local}, but a window has only {window} steps, so "
                "local_window would replace nothing; choose less, or drop it from intervention.names"
            )
        return self
