"""Which models and seeds a folder of saved weights holds."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.io.outside.read import read_shape
from attnpipe.saved_weights.axes import array_name, compared_shape, stored_axes
from attnpipe.saved_weights.files import RunFiles, known
from attnpipe.saved_weights.layout_arrays import find_arrays
from attnpipe.saved_weights.layout_batches import find_batches
from attnpipe.saved_weights.layout_profiles import find_profiles
from attnpipe.saved_weights.shapes import check_shape
from attnpipe.schema.data import SavedWeightsData

__all__ = ["RunFiles", "discover"]

LAYOUTS = {"profiles": find_profiles, "batches": find_batches, "arrays": find_arrays}


def discover(spec: SavedWeightsData, root: Path) -> dict[str, dict[int, RunFiles]]:
    """Return model → seed → files, from names and one header of each run; cheap.

    Models are in the order of the config, or of their prefixes; seeds ascend.

    Parameters
    ----------
    spec
        The data section.
    root
        The data folder.

    Raises
    ------
    UserError
        When nothing is found, or the config names what is not there. What is wrong with
        a file's content is no error here: its run is refused when it is imported.
    """
    found = LAYOUTS[spec.layout](spec, root)
    for model in spec.published_row:
        known(model, found, "data.published_row", "model")
    return {model: _with_shape(runs, spec) for model, runs in found.items()}


def _with_shape(runs: dict[int, RunFiles], spec: SavedWeightsData) -> dict[int, RunFiles]:
    """Give every run the shape that most of them announce; on a tie, the first one's."""
    announced = [shape for run in runs.values() if (shape := _announced(run, spec)) is not None]
    common = Counter(announced).most_common(1)
    return {
        seed: replace(run, shape=common[0][0] if common else None) for seed, run in runs.items()
    }


def _announced(run: RunFiles, spec: SavedWeightsData) -> tuple[int, ...] | None:
    """Return the shape in the header of the run's newest file, if that can be right."""
    names = [file.name for file in run.files if file.checkpoint is not None]
    if not names:
        return None
    limit = int(spec.max_megabytes * 1e6)
    try:
        shape = read_shape(run.root, names[-1], limit_bytes=limit, array=array_name(spec))
        check_shape(shape, spec, names[-1])
    except UserError:
        return None  # said by name when the run is imported
    return compared_shape(shape, stored_axes(spec), spec)
