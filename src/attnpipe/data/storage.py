"""A prepared dataset as named arrays and one JSON-able document, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.data.dataset import SPLITS, SequenceDataset

ARRAYS = ("features", "target", "probe", "halves", "units", "sequences")
TRIVIAL, SPLIT = "trivial.", "split."


def to_tensors(dataset: SequenceDataset) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays by name, and everything else as a document."""
    arrays = {name: getattr(dataset, name) for name in ARRAYS}
    arrays |= {TRIVIAL + name: forecast for name, forecast in dataset.trivial.items()}
    arrays |= {SPLIT + name: ends for name, ends in dataset.splits.items()}
    document = {
        "target_mean": dataset.target_mean,
        "target_scale": dataset.target_scale,
        "window": dataset.window,
        "unit_names": list(dataset.unit_names),
        "sequence_names": list(dataset.sequence_names),
        "description": dict(dataset.description),
    }
    return arrays, document


def from_tensors(arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> SequenceDataset:
    """Return the dataset that `to_tensors` took apart.

    Raises
    ------
    UserError
        When an array or a key is missing.
    """
    try:
        return SequenceDataset(
            **{name: arrays[name] for name in ARRAYS},
            trivial={
                name.removeprefix(TRIVIAL): array
                for name, array in arrays.items()
                if name.startswith(TRIVIAL)
            },
            splits={split: arrays[SPLIT + split] for split in SPLITS},
            target_mean=document["target_mean"],
            target_scale=document["target_scale"],
            window=document["window"],
            unit_names=tuple(document["unit_names"]),
            sequence_names=tuple(document["sequence_names"]),
            description=document["description"],
        )
    except KeyError as error:
        raise UserError(f"the prepared data lack {error}; delete the file and run again") from None
