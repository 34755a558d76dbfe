"""What predicates must know beside the tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DiagnosisContext:
    """The study as far as findings name it.

    Attributes
    ----------
    title
        Title of the study.
    labels
        Model → label, all models in the order of the config.
    attention_models
        Models with attention.
    baselines
        Model → its baseline, or None.
    seeds
        Seeds of the study.
    window
        Keys in a window; 0 where unknown.
    delta
        Practical margin δ in skill units.
    forecasts
        Whether models forecast something; saved weights come alone.
    """

    title: str
    labels: Mapping[str, str]
    attention_models: tuple[str, ...]
    baselines: Mapping[str, str | None]
    seeds: tuple[int, ...]
    window: int = 0
    delta: float = 0.02
    forecasts: bool = True

    @property
    def margins(self) -> tuple[float, ...]:
        """Margins at which the gain is judged: 1, 2 and 5 %, and δ if it is another."""
        return tuple(sorted({0.01, 0.02, 0.05, self.delta}))


def diagnosis_context(spec: Mapping[str, Any], description: Mapping[str, Any]) -> DiagnosisContext:
    """Return the context from the job's config (`title`, `context`) and the data's description."""
    study = spec["context"]
    return DiagnosisContext(
        title=spec["title"],
        labels=dict(study["labels"]),
        attention_models=tuple(study["attention_models"]),
        baselines=dict(study["baselines"]),
        seeds=tuple(study["seeds"]),
        window=description.get("window") or 0,
        delta=study["delta"],
        forecasts="target" in description,
    )
