"""A whole study."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from attnpipe.schema.analysis import AnalysisSpec
from attnpipe.schema.base import Name, Section
from attnpipe.schema.data import DataSpec
from attnpipe.schema.figure import FigureSpec
from attnpipe.schema.model import ModelSpec
from attnpipe.schema.training import TrainingSpec

SCHEMA_VERSION = 1


class StudySpec(Section):
    """The resolved config: everything a study depends on."""

    name: Name
    """Name of the study: its results lie in `results/<name>/`."""
    title: str
    """Title of the report."""
    scale: Literal["quick", "published"]
    """Which sizes were chosen."""
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)]
    """Seeds of the runs: each drives initialisation and data order only."""
    data: DataSpec
    """The data, or the saved weights."""
    models: dict[Name, ModelSpec]
    """Model name → model."""
    training: TrainingSpec | None = None
    """How models are trained; null for saved weights."""
    analysis: AnalysisSpec
    """What is measured."""
    figure: FigureSpec
    """What is drawn."""

    @model_validator(mode="after")
    def _names_fit(self) -> "StudySpec":
        duplicates = sorted({s for s in self.seeds if self.seeds.count(s) > 1})
        if duplicates:
            raise ValueError(f"seeds: seed {duplicates[0]} is listed twice; list each seed once")
        return self
