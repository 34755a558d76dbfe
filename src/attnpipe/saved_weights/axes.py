"""What the axes of a stored array mean, and their one canonical order."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from attnpipe.schema.data import SavedWeightsData

CANONICAL = ("layer", "head", "sample", "query", "key")
OWN_AXES: dict[str, tuple[str, ...]] = {
    "profiles": ("key",),
    "batches": ("layer", "head", "query", "key"),
}
BATCH_ARRAY = "attention_weights"


def stored_axes(spec: SavedWeightsData) -> tuple[str, ...]:
    """Return the meaning of each axis of the files: declared, or the layout's own."""
    return tuple(spec.axes) or OWN_AXES[spec.layout]


def array_name(spec: SavedWeightsData) -> str | None:
    """Return which array of an npz or safetensors file is read; None: the only one."""
    if spec.array is None and spec.layout == "batches":
        return BATCH_ARRAY
    return spec.array


def canonical(
    array: Shaped[np.ndarray, "..."], axes: Sequence[str]
) -> Shaped[np.ndarray, "layer head sample query key"]:
    """Return a view with the axes (layer, head, sample, query, key); absent ones have size 1."""
    absent = tuple(axis for axis in CANONICAL if axis not in axes)
    every = (*axes, *absent)
    expanded = array.reshape(*array.shape, *(1 for _ in absent))
    return expanded.transpose([every.index(axis) for axis in CANONICAL])


def compared_shape(
    shape: Sequence[int], axes: Sequence[str], spec: SavedWeightsData
) -> tuple[int, ...]:
    """Return the sizes that files of one model must share.

    In layout `batches` files are joined along the sample axis, which may differ.
    """
    joined = spec.layout == "batches"
    return tuple(
        n for n, axis in zip(shape, axes, strict=True) if not (joined and axis == "sample")
    )


def averaged_over(spec: SavedWeightsData, model: str) -> tuple[str, ...]:
    """Return the axes over which the weights of a model were averaged before they were saved.

    A file without a sample axis is a mean over samples, unless it is a batch (which is one
    sample) or the config says otherwise. A row that is the published mean row of a model
    without a query axis is a mean over queries.
    """
    axes = stored_axes(spec)
    averaged: set[str] = set(spec.averaged_over or ())
    if spec.averaged_over is None and spec.layout != "batches":
        averaged = {"sample"} - set(axes)
    if "query" not in axes and spec.published_row.get(model) == "mean_query":
        averaged.add("query")
    return tuple(axis for axis in CANONICAL if axis in averaged)
