"""A prepared dataset as named arrays and one JSON-able document, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.data.dataset import SPLITS, SequenceDataset
from attnpipe.data.tokens import TokenDataset

Dataset = SequenceDataset | TokenDataset
"""What a study's models are trained and scored on."""

WINDOW_ARRAYS = ("features", "target", "probe", "halves", "units", "sequences")
TOKEN_ARRAYS = ("tokens", "scored", "probe", "halves")
TRIVIAL, SPLIT = "trivial.", "split."


def to_tensors(dataset: Dataset) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays by name, and everything else as a document."""
    document: dict[str, Any] = {
        "kind": dataset.kind,
        "description": dict(dataset.description),
    }
    splits = {SPLIT + name: items for name, items in dataset.splits.items()}
    if isinstance(dataset, TokenDataset):
        arrays = {name: getattr(dataset, name) for name in TOKEN_ARRAYS}
        return arrays | splits, document | {"vocabulary": dataset.vocabulary}
    arrays = {name: getattr(dataset, name) for name in WINDOW_ARRAYS}
    arrays |= {TRIVIAL + name: forecast for name, forecast in dataset.trivial.items()}
    return arrays | splits, document | {
        "target_mean": dataset.target_mean,
        "target_scale": dataset.target_scale,
        "window": dataset.window,
        "unit_names": list(dataset.unit_names),
        "sequence_names": list(dataset.sequence_names),
    }


def from_tensors(arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> Dataset:
    """Return the dataset that `to_tensors` took apart.

    Raises
    ------
    UserError
        When an array or a key is missing.
    """
    try:
        tokens = document["kind"] == TokenDataset.kind
        return (_tokens if tokens else _windows)(arrays, document)
    except KeyError as error:
        raise UserError(f"the prepared data lack {error}; delete the file and run again") from None


def _splits(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {split: arrays[SPLIT + split] for split in SPLITS}


def _tokens(arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> TokenDataset:
    return TokenDataset(
        **{name: arrays[name] for name in TOKEN_ARRAYS},
        splits=_splits(arrays),
        vocabulary=document["vocabulary"],
        description=document["description"],
    )


def _windows(arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> SequenceDataset:
    return SequenceDataset(
        **{name: arrays[name] for name in WINDOW_ARRAYS},
        trivial={
            name.removeprefix(TRIVIAL): array
            for name, array in arrays.items()
            if name.startswith(TRIVIAL)
        },
        splits=_splits(arrays),
        target_mean=document["target_mean"],
        target_scale=document["target_scale"],
        window=document["window"],
        unit_names=tuple(document["unit_names"]),
        sequence_names=tuple(document["sequence_names"]),
        description=document["description"],
    )
