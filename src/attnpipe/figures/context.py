"""What a figure must know beside its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attnpipe.schema.figure import StyleSpec

PERCENT = "95 %"
"""Level of every interval in the tables, for captions: `lo95` to `hi95`."""


@dataclass(frozen=True)
class FigureContext:
    """The study as far as figures name it.

    Attributes
    ----------
    style
        Size, colours and colour maps.
    labels
        Model name → label, all models in the order of the config.
    attention_models
        Models with attention, in the same order.
    baselines
        Model name → name of its baseline, or None.
    seeds
        Seeds of the study, in the order of the config.
    representative_seed
        Seed shown where only one can be.
    window
        Key positions in a window; 0 where it is not known (saved weights).
    step_value, step_unit
        Time between two key positions, e.g. ``1.0, "h"``; an empty unit where it is unknown.
    target_name, target_unit
        What is forecast.
    delta
        Practical margin δ in skill units.
    """

    style: StyleSpec
    labels: Mapping[str, str]
    attention_models: tuple[str, ...]
    baselines: Mapping[str, str | None]
    seeds: tuple[int, ...]
    representative_seed: int
    window: int
    step_value: float = 1.0
    step_unit: str = ""
    target_name: str = "target"
    target_unit: str = ""
    delta: float = 0.02

    @property
    def of_tokens(self) -> bool:
        """Whether losses are those of tokens, in nats, and not of numbers."""
        return self.target_unit == "nats"

    def label(self, model: str) -> str:
        """Return the label of a model on one line of printable characters."""
        text = "".join(c if c.isprintable() else " " for c in self.labels.get(model, model))
        return " ".join(text.split()) or model


def figure_context(spec: Mapping[str, Any], description: Mapping[str, Any]) -> FigureContext:
    """Return the context of one figure from its job's config and the data's description.

    Parameters
    ----------
    spec
        `style`, `representative_seed` and `context` (labels as pairs, in order).
    description
        What `data/<dataset>.json` holds; `window`, `step` and `target` may be absent, as
        for saved weights.
    """
    study = spec["context"]
    step, target = description.get("step") or {}, description.get("target") or {}
    return FigureContext(
        style=StyleSpec.model_validate(spec["style"]),
        labels=dict(study["labels"]),
        attention_models=tuple(study["attention_models"]),
        baselines=dict(study["baselines"]),
        seeds=tuple(study["seeds"]),
        representative_seed=spec.get("representative_seed", min(study["seeds"])),
        window=description.get("window") or 0,
        step_value=float(step.get("value", 1.0)),
        step_unit=step.get("unit", ""),
        target_name=target.get("name", "target"),
        target_unit=target.get("unit", ""),
        delta=study.get("delta", FigureContext.delta),
    )
