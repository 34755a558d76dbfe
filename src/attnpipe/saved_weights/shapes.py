"""Whether a stored array has the shape it must have: by itself, and beside the others."""

from collections import Counter
from collections.abc import Mapping, Sequence

from attnpipe.core.errors import UserError
from attnpipe.saved_weights.axes import stored_axes
from attnpipe.saved_weights.files import RunFiles
from attnpipe.schema.data import SavedWeightsData

FEWEST_KEYS = 2


def check_shape(shape: Sequence[int], spec: SavedWeightsData, name: str) -> None:
    """Raise unless a file has the declared axes and a number of keys that can be right.

    Parameters
    ----------
    shape
        As stored; no axis is empty, which reading the file has made sure of.
    spec
        The data section.
    name
        The file, for messages.

    Raises
    ------
    UserError
        For other axes than declared, fewer than two keys, or not `spec.keys` of them.
    """
    axes = stored_axes(spec)
    if len(shape) != len(axes):
        raise UserError(
            f"'{name}' has shape {tuple(shape)}, which is not ({', '.join(axes)}); declare "
            "in data.axes what its axes are"
        )
    keys = shape[axes.index("key")]
    if keys < FEWEST_KEYS:
        raise UserError(
            f"'{name}' has {keys} key, over which every row is 1; export all keys or declare "
            "in data.axes which axis they are"
        )
    if spec.keys is not None and keys != spec.keys:
        raise UserError(
            f"'{name}' has {keys} keys instead of the {spec.keys} that data.keys declares; "
            "export it again or correct data.keys"
        )


def check_together(shapes: Mapping[str, tuple[int, ...]], files: RunFiles) -> None:
    """Raise unless all files of the run fit each other, and the run its model's others.

    Parameters
    ----------
    shapes
        File → the sizes that `axes.compared_shape` gives.
    files
        The run.

    Raises
    ------
    UserError
        For the first file that differs from most, or for the run.
    """
    usual, count = Counter(shapes.values()).most_common(1)[0]
    for name, shape in shapes.items():
        if shape != usual:
            raise UserError(
                f"'{name}' has shape {shape}, while {count} of the run's {len(shapes)} files have "
                f"{usual}; export it again or remove it"
            )
    if files.shape is not None and usual != files.shape:
        raise UserError(
            f"the files of '{files.folder}' have shape {usual}, while the model's other runs have "
            f"{files.shape}; export them again or remove the run"
        )
