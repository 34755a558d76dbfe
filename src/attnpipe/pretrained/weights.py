"""Stored weights: readable, finite."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from attnpipe.core.errors import UserError


@contextmanager
def open_weights(path: Path) -> Iterator[Any]:
    """Open a safetensors file whose tensors are read one by one.

    Raises
    ------
    UserError
        It is missing or not valid.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            yield handle
    except FileNotFoundError:
        raise UserError(
            f"'{path}' is missing; only weights in safetensors are read: save the model with it"
        ) from None
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"cannot read '{path}' as safetensors ({error}); get the file anew"
        ) from None


def check_finite(path: Path) -> None:
    """Raise a `UserError` if a tensor of the file holds NaN or infinity."""
    with open_weights(path) as handle:
        for name in sorted(handle.keys()):
            tensor = handle.get_tensor(name)
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                count = int((~torch.isfinite(tensor)).sum())
                raise UserError(
                    f"tensor '{name}' in '{path}' holds {count} values that are NaN or "
                    "infinite; give an undamaged checkpoint"
                )


def stored_counts(path: Path) -> tuple[int, int]:
    """Return how many tensors, and how many numbers in all, a file holds."""
    with open_weights(path) as handle:
        shapes = [handle.get_slice(name).get_shape() for name in handle.keys()]  # noqa: SIM118
    return len(shapes), sum(map(math.prod, shapes))


def stored_formats(path: Path) -> list[str]:
    """Return the number formats in the file, such as ``F32``."""
    with open_weights(path) as handle:
        return sorted({handle.get_slice(name).get_dtype() for name in handle.keys()})  # noqa: SIM118
