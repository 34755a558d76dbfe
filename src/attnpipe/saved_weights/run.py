"""Saved weights of one run → the record that captured weights have, too."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int64

from attnpipe.core.errors import UserError
from attnpipe.core.outcome import Outcome
from attnpipe.core.record import LayerRecord, Probe
from attnpipe.io.outside.read import read_array
from attnpipe.saved_weights.axes import (
    array_name,
    averaged_over,
    canonical,
    compared_shape,
    stored_axes,
)
from attnpipe.saved_weights.checkpoints import final_checkpoint, grouped
from attnpipe.saved_weights.discover import discover
from attnpipe.saved_weights.files import TEST, RunFiles
from attnpipe.saved_weights.rows import distributions, rounding
from attnpipe.saved_weights.shapes import check_shape, check_together
from attnpipe.schema.data import SavedWeightsData

Weights = Float32[np.ndarray, "layer head sample query key"]
Part = Float32[np.ndarray, "layer head _ query key"]
Row = Literal["only", "last_query", "mean_query"]


@dataclass(frozen=True)
class Imported:
    """What became of a run.

    Attributes
    ----------
    records
        By checkpoint, epochs first, then by layer; empty if the run was refused.
    probe
        What is known of the samples; without any if the run was refused.
    outcome
        ``ok``, or ``refused`` with the reason.
    """

    records: list[LayerRecord]
    probe: Probe
    outcome: Outcome


def import_run(
    spec: SavedWeightsData, model: str, seed: int, shape: tuple[int, ...] | None = None
) -> Imported:
    """Import the run of a model at a seed; see `import_files`.

    Parameters
    ----------
    spec
        The data section; what it says of other models and seeds does not matter.
    model, seed
        Which run.
    shape
        That most runs of the model announce; None: as `discover` finds it.

    Raises
    ------
    UserError
        When the folder `spec.path` has no such run (any more).
    """
    found = discover(spec, Path(spec.path))
    if seed not in found.get(model, {}):
        raise UserError(f"'{spec.path}' holds no run of '{model}' with seed {seed} any more")
    files = found[model][seed]
    return import_files(files if shape is None else replace(files, shape=shape), spec, model)


def import_files(files: RunFiles, spec: SavedWeightsData, model: str) -> Imported:
    """Read, judge and normalise all weights of one run.

    Axes that the files do not have get size 1. Samples are the files of layout `batches`,
    in the order of their numbers, or the declared sample axis. Keys stand at positions
    0…T−1; queries at 0…Q−1, and a single query row at T−1, the newest. If any file of the
    run is at fault the whole run is refused: part of a run is no evidence of the run.

    Parameters
    ----------
    files
        As `discover` found them.
    spec
        The data section.
    model
        Name of the model.

    Returns
    -------
    Records, probe and outcome. Weights are float32, rows sum to 1 within rounding and are
    0 off the support. A fault of the files is the outcome ``refused``, not an error.
    """
    try:
        return _imported(files, spec, model)
    except UserError as fault:
        nothing = np.empty(0, dtype=np.int64)
        probe = _probe(nothing, TEST, "only", spec, model)
        return Imported([], probe, Outcome("refused", str(fault)))


def _imported(files: RunFiles, spec: SavedWeightsData, model: str) -> Imported:
    names = grouped(files)
    final = final_checkpoint(spec.final, files)
    weights = _read(names, files, spec)
    _, _, samples, queries, keys = weights[final].shape
    support, positions = _support(queries, keys, spec.causal, names[final][0])
    index = np.arange(samples, dtype=np.int64)
    records = [
        LayerRecord(
            checkpoint=checkpoint,
            layer=layer,
            weights=array[layer],
            support=support,
            query_positions=positions,
            key_positions=np.arange(keys, dtype=np.int64),
            samples=index,
        )
        for checkpoint, array in weights.items()
        for layer in range(len(array))
    ]
    row = _published_row(queries, spec, model)
    return Imported(records, _probe(index, final, row, spec, model), Outcome("ok"))


def _read(
    names: dict[str, list[str]], files: RunFiles, spec: SavedWeightsData
) -> dict[str, Weights]:
    """Return checkpoint → weights of all its files, joined along the sample axis."""
    axes = stored_axes(spec)
    left = int(spec.max_megabytes * 1e6)
    shapes: dict[str, tuple[int, ...]] = {}
    parts: dict[str, list[Part]] = {checkpoint: [] for checkpoint in names}
    for checkpoint, group in names.items():
        for name in group:
            array = read_array(files.root, name, limit_bytes=left, array=array_name(spec))
            left -= array.size * max(array.itemsize, 4)
            check_shape(array.shape, spec, name)
            shapes[name] = compared_shape(array.shape, axes, spec)
            stored = canonical(array, axes)
            support, _ = _support(stored.shape[-2], stored.shape[-1], spec.causal, name)
            tolerance = rounding(array.dtype, spec.tolerance)
            parts[checkpoint].append(distributions(stored, support, tolerance, name))
    check_together(shapes, files)
    return {checkpoint: _joined(parts.pop(checkpoint)) for checkpoint in names}


def _joined(parts: list[Part]) -> Weights:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _support(
    queries: int, keys: int, causal: bool, name: str
) -> tuple[Bool[np.ndarray, "1 query key"], Int64[np.ndarray, " position"]]:
    """Return which keys each query may see, and where the queries stand."""
    if queries == 1:
        return np.ones((1, 1, keys), dtype=np.bool_), np.array([keys - 1], dtype=np.int64)
    positions = np.arange(queries, dtype=np.int64)
    if not causal:
        return np.ones((1, 1, keys), dtype=np.bool_), positions
    if queries != keys:
        raise UserError(
            f"'{name}' has {queries} queries and {keys} keys, so that data.causal=true cannot say "
            "which key is a query's own; export as many queries as keys or set it to false"
        )
    return np.tril(np.ones((1, queries, keys), dtype=np.bool_)), positions


def _published_row(queries: int, spec: SavedWeightsData, model: str) -> Row:
    declared = spec.published_row.get(model, "mean_query")
    if queries == 1:
        return "only"
    if declared == "only":
        raise UserError(
            f"data.published_row.{model} is 'only', but the weights have {queries} query rows; "
            "choose last_query or mean_query"
        )
    return declared


def _probe(
    index: Int64[np.ndarray, " sample"], final: str, row: Row, spec: SavedWeightsData, model: str
) -> Probe:
    """Describe the samples: halves A and B alternate, as in captured probe sets."""
    return Probe(
        halves=index % 2,
        final=final,
        averaged_over=averaged_over(spec, model),
        published_row=row,
        has_seeds=spec.layout != "batches",
    )
