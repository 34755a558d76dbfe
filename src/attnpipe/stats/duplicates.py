"""Evidence that is the same evidence under two names."""

from collections.abc import Hashable, Mapping
from hashlib import blake2b
from typing import TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)


def duplicates(values: Mapping[Name, np.ndarray]) -> list[tuple[Name, ...]]:
    """Return the groups of names whose arrays are exact copies of each other.

    Trainings from different seeds never agree in every bit of every prediction; where
    they do, the seed had no effect (a model without random parts) or one run was
    stored twice. Either way there is one replicate, however many names it has.

    Values are compared, not storage: float32 equals the same values in float64, −0.0
    equals 0.0 and NaN equals NaN at the same place. Arrays without any finite value
    are evidence of nothing and in no group.

    Parameters
    ----------
    values
        Name, such as (model, seed), → predictions, losses or weights, of any shape.

    Returns
    -------
    list
        Groups of two or more, names and groups in the order of the input.
    """
    groups: dict[bytes, list[Name]] = {}
    for name, array in values.items():
        if np.isfinite(array).any():
            groups.setdefault(_digest(array), []).append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def distinct(values: Mapping[Name, np.ndarray]) -> list[Name]:
    """Return the names that count: all but the second and later of each group of copies."""
    copies = {name for group in duplicates(values) for name in group[1:]}
    return [name for name in values if name not in copies]


def _digest(array: np.ndarray) -> bytes:
    """Return a digest of the values and the shape: equal arrays, equal digests."""
    canonical = np.array(array, dtype=np.float64, order="C")
    canonical[np.isnan(canonical)] = np.nan  # all NaN with the same bits
    canonical += 0.0  # −0.0 → 0.0
    return blake2b(canonical.tobytes() + str(canonical.shape).encode(), digest_size=32).digest()
