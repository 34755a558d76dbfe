"""How much attention a run has, before anything runs: it decides whether weights are stored."""

from dataclasses import dataclass
from math import prod

from attnpipe.core.errors import UserError
from attnpipe.io.outside.read import read_shape
from attnpipe.saved_weights.axes import array_name, stored_axes
from attnpipe.saved_weights.files import RunFiles
from attnpipe.saved_weights.shapes import check_shape
from attnpipe.schema.arms import derive_arms
from attnpipe.schema.data import SavedWeightsData
from attnpipe.schema.model import Attending, TransformerModel
from attnpipe.schema.study import StudySpec
from attnpipe.schema.training import TrainingSpec

FLOAT32 = 4
ONE_ROW = ("simple", "query", "uniform", "static")
"""Attention without queries."""


@dataclass(frozen=True)
class AttentionShape:
    """The attention of one run.

    Attributes
    ----------
    checkpoints
        How many there are.
    heads
        Of all layers together.
    samples, queries, keys
        Of each head, at each checkpoint.
    """

    checkpoints: int
    heads: int
    samples: int
    queries: int
    keys: int

    @property
    def bytes(self) -> int:
        """Size of the full weights."""
        return self.checkpoints * self.heads * self.samples * self.queries * self.keys * FLOAT32


def kept_checkpoints(training: TrainingSpec) -> int:
    """Return the number of kept checkpoints: untrained, captured epochs, last, best."""
    captured = training.epochs // training.capture_every
    last = 0 if training.epochs % training.capture_every == 0 else 1
    return 1 + captured + last + 1


def trained_attention(spec: StudySpec, model: str) -> AttentionShape | None:
    """Return what will be captured of a run; None without attention."""
    chosen: object = spec.models.get(model)
    if chosen is None:
        arm = derive_arms(spec.models).derived[model]
        chosen = arm if arm.shuffled_labels else None  # the weights of others are not looked at
    if not isinstance(chosen, Attending) or chosen.attention is None or spec.training is None:
        return None
    window = spec.data.window  # type: ignore[union-attr]
    transformer = isinstance(chosen, TransformerModel)
    return AttentionShape(
        checkpoints=kept_checkpoints(spec.training) + spec.analysis.capture.shuffled_inputs,
        heads=chosen.layers * chosen.heads if isinstance(chosen, TransformerModel) else 1,
        samples=spec.data.probe_samples,  # type: ignore[union-attr]
        queries=1 if not transformer and chosen.attention.kind in ONE_ROW else window,
        keys=window,
    )


def stores_states(spec: StudySpec, model: str) -> bool:
    """Return whether a run's weights exceed the size limit, so that fold states are stored."""
    shape = trained_attention(spec, model)
    return shape is not None and shape.bytes > spec.analysis.capture.max_megabytes * 1e6


def saved_attention(spec: SavedWeightsData, run: RunFiles) -> AttentionShape | None:
    """Return what the headers of a run's files announce; None if none can be right."""
    found = [shape for file in run.files if (shape := _announced(spec, run, file.name))]
    if not found:
        return None
    sizes = dict(zip(stored_axes(spec), found[-1], strict=True))
    heads = sizes.get("layer", 1) * sizes.get("head", 1)
    queries, keys = sizes.get("query", 1), sizes["key"]
    checkpoints = max(1, len(run.checkpoints))
    elements = sum(map(prod, found))
    samples = max(1, round(elements / (checkpoints * heads * queries * keys)))
    return AttentionShape(checkpoints, heads, samples, queries, keys)


def _announced(spec: SavedWeightsData, run: RunFiles, name: str) -> tuple[int, ...] | None:
    limit = int(spec.max_megabytes * 1e6)
    try:
        shape = read_shape(run.root, name, limit_bytes=limit, array=array_name(spec))
        check_shape(shape, spec, name)
    except UserError:
        return None  # said by name when the run is imported
    return shape
