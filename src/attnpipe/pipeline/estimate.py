"""How much a study will store, before anything runs."""

from attnpipe.schema.arms import derive_arms
from attnpipe.schema.model import Attending, TransformerModel
from attnpipe.schema.study import StudySpec
from attnpipe.schema.text import PromptsData
from attnpipe.schema.training import TrainingSpec

FLOAT32 = 4
ONE_ROW = ("simple", "query", "uniform", "static")
"""Attention without queries."""


def kept_checkpoints(training: TrainingSpec) -> int:
    """Return the number of kept checkpoints: untrained, captured epochs, last, best."""
    captured = training.epochs // training.capture_every
    last = 0 if training.epochs % training.capture_every == 0 else 1
    return 1 + captured + last + 1


def attention_bytes(spec: StudySpec, model: str) -> int:
    """Return the bytes of the full attention weights of one run (0 if unknown or none)."""
    chosen: object = spec.models.get(model)
    if chosen is None:
        arm = derive_arms(spec.models).derived[model]
        chosen = arm if arm.shuffled_labels else None  # the weights of others are not looked at
    if not isinstance(chosen, Attending) or chosen.attention is None or spec.training is None:
        return 0
    window = spec.data.window  # type: ignore[union-attr]
    samples = spec.data.probe_samples  # type: ignore[union-attr]
    if isinstance(chosen, TransformerModel):
        matrices = chosen.layers * chosen.heads * window * window
    else:
        matrices = window if chosen.attention.kind in ONE_ROW else window * window
    records = kept_checkpoints(spec.training) + spec.analysis.capture.shuffled_inputs
    return records * samples * matrices * FLOAT32


TEXT_BYTES = 500_000
"""Stored per text and model: rows of 30 × 9 heads and their metrics (measured, study prompts)."""


def text_bytes(spec: StudySpec) -> int:
    """Return the bytes of the results of a study of texts, roughly, without its models."""
    data = spec.data
    if isinstance(data, PromptsData):
        texts = data.questions * len(data.conditions)
    else:
        texts = getattr(data, "count", 0)
    return texts * len(spec.models) * TEXT_BYTES


def stores_states(spec: StudySpec, model: str) -> bool:
    """Return whether a run's weights exceed the size limit, so that fold states are stored."""
    return attention_bytes(spec, model) > spec.analysis.capture.max_megabytes * 1e6


def checkpoint_bytes(spec: StudySpec, parameters: int) -> int:
    """Return the bytes of the kept weights of one run."""
    return kept_checkpoints(spec.training) * parameters * FLOAT32 if spec.training else 0


def dataset_bytes(spec: StudySpec, features: int | None) -> int:
    """Return the bytes of the prepared dataset, as far as its length is known beforehand."""
    from attnpipe.data.facts import feasibility

    if features is None:
        return 0
    rows = feasibility(spec.data).rows or 0  # type: ignore[arg-type]
    return rows * (features + 3) * FLOAT32
