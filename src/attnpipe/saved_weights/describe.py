"""What a reader of the results must know about a folder of saved weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnpipe.saved_weights.axes import averaged_over, stored_axes
from attnpipe.saved_weights.discover import discover
from attnpipe.saved_weights.files import RunFiles
from attnpipe.schema.data import SavedWeightsData


def describe(spec: SavedWeightsData, digests: Mapping[Path, str]) -> dict[str, Any]:
    """Return layout, axes, models, and every file with its checksum, ready for JSON.

    Parameters
    ----------
    spec
        The data section.
    digests
        SHA-256 of each file, by the paths that `RunFiles.paths` gives.

    Raises
    ------
    UserError
        As `discover`.
    """
    found = discover(spec, Path(spec.path))
    keys = {_keys(run, spec) for runs in found.values() for run in runs.values()}
    same = keys.pop() if len(keys) == 1 else None
    return {
        "name": spec.name,
        "source": {"layout": spec.layout, "folder": Path(spec.path).name},
        "axes": list(stored_axes(spec)),
        "causal": spec.causal,
        "final": spec.final,
        "window": same or 0,
        "step": {"value": 1, "unit": ""},
        "models": {
            model: {
                "label": next(iter(runs.values())).label,
                "averaged_over": list(averaged_over(spec, model)),
                "seeds": sorted(runs) if spec.layout != "batches" else [],
            }
            for model, runs in found.items()
        },
        "files": [
            {"name": path.relative_to(spec.path).as_posix(), "sha256": digest}
            for path, digest in sorted(digests.items())
        ],
    }


def _keys(run: RunFiles, spec: SavedWeightsData) -> int | None:
    """Return how many keys the runs of a model have, where headers tell."""
    return None if run.shape is None else run.shape[stored_axes(spec).index("key")]
