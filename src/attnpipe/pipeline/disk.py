"""How many bytes a study will leave, before anything runs: within a factor of two.

Bytes per row of each table, compressed, were measured on finished studies of the default size.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attnpipe.pipeline.config import Study
from attnpipe.pipeline.estimate import (
    FLOAT32,
    AttentionShape,
    kept_checkpoints,
    saved_attention,
    trained_attention,
)
from attnpipe.schema.compression import CompressionSpec
from attnpipe.schema.data import DrawnData, InductionData, SavedWeightsData, Windows
from attnpipe.schema.model import ModelSpec
from attnpipe.schema.study import StudySpec
from attnpipe.schema.text import PromptsData
from attnpipe.text.conditions import conditions

INT64 = 8
EVALUATION_ROW = 30
INTERVENTION_ROW = 16
COMPRESSION_ROW = 16
METRIC_ROW = 7
VALUE_ROW = 90
"""Of a seed's value in the tables of its model and of the study, one of them as text."""
SUMMARY_ROW = 220
"""The same over seeds."""
ROW_METRICS = 25
"""Metrics of every probe sample at the final checkpoint."""
METRICS = 45
"""Metrics of a head, beside those that have a row for each key."""
STATE = 16
"""Of a metric of one sample, or of a place in a mean row, in the state of a fold."""
FIGURE = 400_000
"""PNG, SVG, and the SVG again inside the report."""
JOB = 4_000
"""Seal, and the small files and rows that there are beside what is counted here."""
TEXT = 900
"""Of a head in a text: its last row and the metrics of all. (How long texts are is known once they
are prepared: these have 21 to 33 tokens on average.)"""
SPANS = 750
"""Of a head in a prompt: its mass on the parts."""
VARIANT = 65_000
"""Of a head in the tables of a variant, most of them as Parquet and as text."""
MAPS = 600_000
"""Of a variant in the tables that have a row for each token or pair of tokens."""
HEADS = MappingProxyType({"causal_lm": 270, "encoder": 72})
"""Task → heads over all layers of a pretrained model that is not here yet: as the default ones."""


def disk_bytes(
    study: Study,
    parameters: Mapping[str, int],
    jobs: int,
    heads: Mapping[str, int] = MappingProxyType({}),
) -> int:
    """Return about how many bytes the results of a study take.

    Parameters
    ----------
    study
        The study.
    parameters
        Model → its parameters, as far as they are known.
    jobs
        How many jobs it has.
    heads
        Pretrained model → its heads over all layers; where it is unknown: `supposed_heads`.
    """
    spec = study.spec
    drawn = FIGURE * len(spec.figure.show) + JOB * jobs
    if study.mode == "text":
        read = sum(
            _read(spec, model, heads.get(model) or supposed_heads(spec.models[model]))
            for model in spec.models
        )
        return drawn + read + sum(FLOAT32 * n for n in parameters.values())
    total = _dataset(study) + drawn
    for model in study.models:
        of_run = _checkpoints(spec, parameters.get(model, 0)) + _forecasts(study, model)
        total += of_run * len(study.seeds_of(model))
        largest = 0
        for shape in _attention(study, model):
            if shape is not None:
                rows = _rows(shape)
                samples = shape.heads * ROW_METRICS * shape.samples
                total += _stored(spec, shape) + rows * VALUE_ROW + (rows + samples) * METRIC_ROW
                largest = max(largest, rows)
        total += largest * SUMMARY_ROW
    return total


def supposed_heads(model: ModelSpec) -> int:
    """Return how many heads a pretrained model may have whose config is not here yet."""
    return HEADS[getattr(model, "task", "causal_lm")]


def _read(spec: StudySpec, model: str, heads: int) -> int:
    """Return the bytes of what a pretrained model makes of the texts."""
    data, variants, row = spec.data, 1, TEXT
    texts = getattr(data, "count", 0)
    if isinstance(data, PromptsData):
        variants, row = len(conditions(data)), TEXT + SPANS
        texts = data.questions * variants
    checkpoints = 1 + getattr(spec.models[model], "untrained", False)
    return checkpoints * (heads * (texts * row + variants * VARIANT) + variants * MAPS)


def _dataset(study: Study) -> int:
    """Return the bytes of the prepared dataset; 0 where its length is not known yet."""
    data, facts = study.spec.data, study.facts
    if facts is None or facts.rows is None:
        return 0
    if isinstance(data, InductionData):
        return facts.rows * (data.window * (FLOAT32 + 1) + INT64)
    series = facts.features + 3  # the target and two forecasts that need no model
    return facts.rows * (series * FLOAT32 + INT64 // getattr(data, "stride", 1))


def _items(study: Study) -> int:
    """Return about how many windows or sequences the test split has."""
    data, facts = study.spec.data, study.facts
    if isinstance(data, DrawnData):
        return data.test_windows
    if not isinstance(data, Windows) or facts is None or facts.rows is None:
        return 0
    return round(facts.rows * data.test_fraction / data.evaluation_stride)


def _attention(study: Study, model: str) -> Sequence[AttentionShape | None]:
    """Return the attention of each run of a model."""
    data = study.spec.data
    if isinstance(data, SavedWeightsData):
        return [saved_attention(data, run) for run in study.saved[model].values()]
    return [trained_attention(study.spec, model)] * len(study.seeds_of(model))


def _stored(spec: StudySpec, shape: AttentionShape) -> int:
    """Return the bytes of stored weights: all of them, or some with the states of folds."""
    limit = spec.analysis.capture.max_megabytes * 1e6
    if spec.data.kind == "saved_weights" or shape.bytes <= limit:
        return shape.bytes
    of_head = ROW_METRICS * shape.samples + shape.queries * shape.keys
    return int(limit) + shape.checkpoints * shape.heads * of_head * STATE


def _checkpoints(spec: StudySpec, parameters: int) -> int:
    return kept_checkpoints(spec.training) * parameters * FLOAT32 if spec.training else 0


def _forecasts(study: Study, model: str) -> int:
    """Return the bytes of everything that has a row for each test item of one run."""
    items, row = _items(study), EVALUATION_ROW
    if any(name == model for name, _ in study.intervened):
        row += INTERVENTION_ROW * _steps(study.spec, model)
    total = items * row
    if any(name == model for name, _ in study.shortened):
        data = study.spec.data
        other = data.validation_windows if isinstance(data, DrawnData) else 0
        total += (items + other) * _choices(study.spec.compression) * COMPRESSION_ROW
    return total


def _steps(spec: StudySpec, model: str) -> int:
    """Return about how often the test split is scored with attention replaced."""
    shape = trained_attention(spec, model)
    heads = 0 if shape is None or shape.heads < 2 else shape.heads
    count = 0
    for name in spec.intervention.names:
        if name == "single_head":
            count += heads
        elif name == "cumulative_heads":
            count += heads * (1 + spec.intervention.control_draws)
        else:
            count += 1
    return count


def _choices(spec: CompressionSpec) -> int:
    """Return how many shortened inputs each item has, with old and with new positions."""
    ways = len(spec.policies) + (spec.draws - 1) * ("random" in spec.policies)
    return 2 * ways * len(spec.budgets)


def _rows(shape: AttentionShape) -> int:
    """Return about how many values a run has: three metrics have a row for each key."""
    return shape.checkpoints * shape.heads * (METRICS + 3 * shape.keys)
