"""From the command line to one validated study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError

from attnpipe.core.errors import UserError
from attnpipe.core.overrides import split_overrides
from attnpipe.core.registry import nearest
from attnpipe.data.facts import DataFacts, feasibility
from attnpipe.figures.registry import FIGURES
from attnpipe.figures.texts.parts import part_of
from attnpipe.pipeline.check_text import check_text
from attnpipe.pipeline.composed import composed
from attnpipe.pipeline.explain import explain
from attnpipe.pipeline.explain_sections import own_model
from attnpipe.pipeline.paths import SUBMITTED
from attnpipe.pretrained.files import check_names
from attnpipe.saved_weights.discover import RunFiles, discover
from attnpipe.schema.arms import Arms, derive_arms
from attnpipe.schema.data import SavedWeightsData, Windows
from attnpipe.schema.model import FIXED, ModelSpec
from attnpipe.schema.pretrained import LocalSource
from attnpipe.schema.study import TOKENS, StudySpec
from attnpipe.schema.text import PromptsData
from attnpipe.text.conditions import conditions, variant_label
from attnpipe.text.spans import span_names

Mode = Literal["trained", "saved", "text"]
TEXT_KINDS = ("prompts", "sentences")
KEYS = ("study", "scale", "overrides")
DEFAULTS = {"study": "geomagnetic", "scale": "quick", "overrides": ""}


@dataclass(frozen=True)
class Study:
    """A validated study.

    Attributes
    ----------
    spec
        The resolved config.
    choice
        What was chosen on the command line: study, scale, overrides.
    facts
        What is known of the dataset beforehand; None for saved weights and texts, and in jobs.
    saved
        Saved weights: model → seed → files. Empty otherwise.
    """

    spec: StudySpec
    choice: Mapping[str, str]
    facts: DataFacts | None
    saved: Mapping[str, Mapping[int, RunFiles]]

    @property
    def mode(self) -> Mode:
        """Whether runs are trained here, come as saved weights, or are pretrained on texts."""
        kind = self.spec.data.kind
        return "saved" if kind == "saved_weights" else "text" if kind in TEXT_KINDS else "trained"

    @property
    def trained(self) -> bool:
        """Whether runs are trained here."""
        return self.mode == "trained"

    @cached_property
    def arms(self) -> Arms:
        """The variants that are trained beside the models."""
        return derive_arms(self.spec.models)

    @cached_property
    def models(self) -> Mapping[str, ModelSpec]:
        """All that has runs: the models in config order, then their arms."""
        derived = cast("Mapping[str, ModelSpec]", self.arms.derived)
        return {**self.spec.models, **derived}

    @cached_property
    def runs(self) -> Sequence[tuple[str, int]]:
        """All (model, seed) pairs, in config order, arms last."""
        return [(model, seed) for model in self.models for seed in self.seeds_of(model)]

    def seeds_of(self, model: str) -> list[int]:
        """Return the seeds of a model's runs: all, or those whose weights were saved."""
        return sorted(self.saved[model] if self.mode == "saved" else self.spec.seeds)

    @cached_property
    def intervened(self) -> Sequence[tuple[str, int]]:
        """The (model, seed) pairs whose attention is replaced."""
        if self.mode == "text":
            asked = self.spec.data.kind == "prompts"
            return self.runs if asked and self.spec.analysis.text.answers.interventions else []
        if not self.trained or not self.spec.intervention.names:
            return []
        return self._with_own_attention

    @property
    def matched(self) -> list[str]:
        """The models whose heads are removed one by one, and therefore matched between seeds."""
        if "single_head" not in self.spec.intervention.names:
            return []
        models = dict.fromkeys(model for model, _ in self.intervened)
        return [model for model in models if self.models[model].kind == "transformer"]

    @cached_property
    def shortened(self) -> Sequence[tuple[str, int]]:
        """The (model, seed) pairs whose input is shortened: those that read from left to right."""
        spec, kind = self.spec.compression, self.spec.data.kind
        if spec.policies and kind in ("prompts", *TOKENS):
            return self._with_own_attention
        if spec.policies and spec.windows and self.trained:
            return [run for run in self._with_own_attention if not self._fixed(run[0])]
        return []

    @cached_property
    def _with_own_attention(self) -> Sequence[tuple[str, int]]:
        """The (model, seed) pairs of models with attention, without arms."""
        return [(m, s) for m, s in self.runs if m in self.spec.models and self.has_attention(m)]

    def _fixed(self, model: str) -> bool:
        """Whether a model's attention cannot be asked what it prefers."""
        attention = getattr(self.models[model], "attention", None)
        return attention is not None and attention.kind in FIXED

    def has_attention(self, model: str) -> bool:
        """Return whether a model has attention weights to look at.

        Those of arms are known, but for arms that differ from their model in labels alone.
        """
        if model in self.arms.derived:
            return self.arms.derived[model].shuffled_labels
        spec = self.spec.models[model]
        observed = spec.kind in ("saved", "pretrained")
        return observed or getattr(spec, "attention", None) is not None


def choose(config: Mapping[str, Any]) -> dict[str, str]:
    """Return study, scale and overrides from `--config` values, refusing other keys."""
    for key in config:
        if key not in KEYS:
            raise UserError(
                f"unknown --config key '{key}': {nearest(str(key), list(KEYS))} "
                f"(values of the study go inside: overrides='{key}=…')"
            )
    given = {key: value for key, value in config.items() if value is not None}  # `overrides=`
    return {key: str(given.get(key, DEFAULTS[key])) for key in KEYS}


def load_study(config_folder: Path, config: Mapping[str, Any], cache: Path | None = None) -> Study:
    """Compose, complete and validate a study.

    Parameters
    ----------
    config_folder
        With one folder per group.
    config
        What `--config` gave.
    cache
        Where the composed config is kept for the next time; None: nowhere.

    Raises
    ------
    UserError
        One sentence for the first thing that is wrong.
    """
    choice = choose(config)
    overrides = split_overrides(choice["overrides"])
    container = composed(config_folder, choice["study"], choice["scale"], overrides, cache)
    saved = _discover(container)
    try:
        spec = StudySpec.model_validate(container)
    except ValidationError as error:
        raise UserError(f"config: {explain(error, StudySpec, container)}") from None
    _check_figures(list(spec.figure.show))
    _check_variants(spec)
    _check_spans(spec)
    _check_sources(spec)
    _check_resources(spec)
    check_text(spec)
    facts = feasibility(spec.data) if isinstance(spec.data, Windows) else None
    return Study(spec, choice, facts, saved)


def _discover(container: dict[str, Any]) -> Mapping[str, Mapping[int, RunFiles]]:
    """Let the folder of saved weights say which models and seeds there are."""
    data = container.get("data")
    if not isinstance(data, dict) or data.get("kind") != "saved_weights":
        return {}
    try:
        spec = SavedWeightsData.model_validate(data)
    except ValidationError as error:
        message = explain(error, SavedWeightsData, data)
        raise UserError(f"config: data: {message}") from None
    found = discover(spec, Path(spec.path))
    wanted = container["seeds"]
    if wanted:
        found = {m: {s: f for s, f in runs.items() if s in wanted} for m, runs in found.items()}
    seeds = sorted({seed for runs in found.values() for seed in runs})
    absent = [seed for seed in wanted if seed not in seeds]
    if absent:
        raise UserError(f"seeds: {absent[0]} has no saved weights in '{spec.path}'; drop it")
    for name in container["models"]:
        if name not in found:
            raise UserError(f"models: '{name}' has no saved weights: {nearest(name, list(found))}")
    labels = {
        name: {"kind": "saved", "label": next(iter(runs.values())).label}
        for name, runs in found.items()
        if runs
    }
    container["models"] = {
        n: label | (container["models"].get(n) or {}) for n, label in labels.items()
    }
    container["seeds"] = wanted or seeds
    return {name: runs for name, runs in found.items() if runs}


def _check_variants(spec: StudySpec) -> None:
    """Refuse names of variants that the study does not ask its questions in."""
    if not isinstance(spec.data, PromptsData):
        return
    labels = {variant_label(*condition): condition[1] for condition in conditions(spec.data)}
    chosen = {
        "analysis.text.answers.variants": spec.analysis.text.answers.variants or [],
        "compression.variants": spec.compression.variants or [],
    }
    wrong = {key: [n for n in names if n not in labels] for key, names in chosen.items()}
    said = [f"{key} names '{names[0]}'" for key, names in wrong.items() if names]
    if not said:
        return
    most = max(labels, key=lambda name: labels[name])  # what examples change is asked of these
    instead = {
        key: [name for name in chosen[key] if name in labels and name != most] + [most]
        for key, names in wrong.items()
        if names
    }
    cure = " ".join(f"{key}=[{','.join(names)}]" for key, names in instead.items())
    raise UserError(
        f"{' and '.join(said)}, which this study does not have; write e.g. {cure}, of "
        f"{', '.join(labels)}, or null for all"
    )


def _check_sources(spec: StudySpec) -> None:
    """Refuse pretrained models whose local files are not there, or are not those of a model."""
    for name, model in spec.models.items():
        source = getattr(model, "source", None)
        path = getattr(source, "path", None)
        if source is None or path is None:
            continue
        key, given = f"models.{name}.source.path", Path(path)
        if not given.exists():
            raise UserError(
                f"{key} is '{path}', which is not there; give the folder or file that holds the "
                "model"
            )
        if isinstance(source, LocalSource):
            if not given.is_dir():
                raise UserError(f"{key} is '{path}', a file; give the folder of a model")
            check_names((file.name for file in given.iterdir()), f"{key} is '{path}', which")
        elif source.format == "gguf" and given.is_dir():
            raise UserError(
                f"{key} is '{path}', a folder, where a copy of the file in package "
                f"{source.package} should be; for a model of your own write "
                f"{own_model(key, path)}"
            )


def _check_figures(names: Sequence[str]) -> None:
    for name in names:
        if name not in FIGURES:
            raise UserError(f"figure.show: unknown figure '{name}': {nearest(name, list(FIGURES))}")


def _check_resources(spec: StudySpec) -> None:
    """Refuse a table of resources that names other rules than those that are submitted."""
    for rule in spec.resources:
        if rule not in SUBMITTED:
            raise UserError(f"resources: no rule '{rule}' is submitted: {nearest(rule, SUBMITTED)}")
    for rule in SUBMITTED:
        if rule not in spec.resources:
            raise UserError(
                f"resources.{rule} is missing; keep it, and change its values, "
                f"e.g. resources.{rule}.mem_mb=4000"
            )


def _check_spans(spec: StudySpec) -> None:
    """Refuse parts that no prompt of the study has."""
    named = span_names(spec.data) if isinstance(spec.data, PromptsData) else []
    parts = dict.fromkeys(part for name in named if (part := part_of(name)) is not None)
    for figure, options in spec.figure.show.items():
        for name in options.spans or ():
            if name not in parts:
                raise UserError(
                    f"figure.show.{figure}.spans: no prompt of the study has a part '{name}': "
                    f"{nearest(name, list(parts))}"
                )
