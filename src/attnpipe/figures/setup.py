"""From the documents of a figure's job to its context."""

from collections.abc import Mapping
from typing import Any

from attnpipe.figures.context import FigureContext
from attnpipe.schema.figure import StyleSpec


def figure_context(spec: Mapping[str, Any], description: Mapping[str, Any]) -> FigureContext:
    """Return what a figure must know beside its tables.

    Parameters
    ----------
    spec
        The job's param: style, representative seed, and the study's context.
    description
        The data's description: window, step, target (absent for saved weights).
    """
    study = spec["context"]
    target = description.get("target", {})
    optional = {"delta": study["delta"]} if "delta" in study else {}
    return FigureContext(
        style=StyleSpec.model_validate(spec["style"]),
        labels=dict(study["labels"]),
        attention_models=tuple(study["attention_models"]),
        baselines=study["baselines"],
        seeds=tuple(study["seeds"]),
        representative_seed=spec["representative_seed"],
        window=description["window"],
        step_value=float(description["step"]["value"]),
        step_unit=description["step"]["unit"],
        target_name=target.get("name", ""),
        target_unit=target.get("unit", ""),
        confidence=study["confidence"],
        **optional,
    )
