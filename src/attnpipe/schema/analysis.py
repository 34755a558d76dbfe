"""What is measured, and by which margins it is judged."""

from typing import Annotated

from pydantic import Field

from attnpipe.schema.base import Section

Count = Annotated[int, Field(ge=1)]


class CaptureSpec(Section):
    """How much of the attention is stored."""

    max_megabytes: Annotated[float, Field(gt=0)] = 64.0
    """Weights stored per run; above it, states of the folds and as many full samples as fit."""


class MetricsSpec(Section):
    """Options of the metrics of a run."""

    top_k: list[Count] = [5, 10, 20]
    """k of the top-k mass and excess."""
    recent_k: list[Count] = [5, 10, 20]
    """k of the recent-k mass and excess, and of the published `profile_recent_mass_k`."""
    peak_tolerance: Annotated[float, Field(ge=0)] = 1e-3
    """A peak is resolved when the largest weight exceeds the second by more than this."""
    row_tolerance: Annotated[float, Field(gt=0)] = 1e-5
    """Largest |row sum − 1| of a valid row."""


class ContrastSpec(Section):
    """Options of the comparison between models."""

    delta: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Practical margin δ, in units of the model's skill."""
    accuracy_threshold: Annotated[float, Field(gt=0)]
    """A forecast is accurate when its absolute error is below this (units of the target); every study sets its own."""


class AnalysisSpec(Section):
    """Everything between capture and figures."""

    capture: CaptureSpec = CaptureSpec()
    """Storage of attention."""
    metrics: MetricsSpec = MetricsSpec()
    """Metrics of a run."""
    contrast: ContrastSpec
    """Comparison between models."""
