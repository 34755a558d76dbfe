"""Small models, and stores in memory and in files."""

import copy
import json
from collections.abc import Callable

import pytest
from pydantic import TypeAdapter

from attnpipe.schema.model import ModelSpec
from attnpipe.schema.training import TrainingSpec

ATTENTION = {"additive": {"kind": "additive", "size": 3}}


def small_model(kind: str = "lstm", **changes):
    if kind == "mlp":
        fields = {"kind": "mlp", "label": "m", "input": "last", "hidden": [4]}
    else:
        fields = {"kind": "lstm", "label": "m", "baseline": "b", "hidden": 4, "layers": 2}
        if kind != "lstm":
            fields["attention"] = ATTENTION.get(kind, {"kind": kind})
    return TypeAdapter(ModelSpec).validate_python(fields | changes)


def small_training(**changes) -> TrainingSpec:
    fields = {
        "epochs": 4,
        "windows_per_epoch": 150,
        "validation_windows": 40,
        "batch_size": 32,
        "learning_rate": 0.01,
        "clip_norm": 1.0,
        "plateau_patience": 0,
    }
    return TrainingSpec(**(fields | changes))


def same(one, other) -> bool:
    """Whether two runs agree bit for bit; files name the weights in an order of their own."""
    assert list(one.checkpoints) == list(other.checkpoints)
    weights = all(
        one.checkpoints[c].keys() == other.checkpoints[c].keys()
        and all(w.tobytes() == other.checkpoints[c][n].tobytes() for n, w in kept.items())
        for c, kept in one.checkpoints.items()
    )
    return weights and one.history.equals(other.history) and one.outcome == other.outcome


class MemoryStore:
    """Keeps the last state as JSON and arrays; cannot save epoch `fail_at`."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.kept: tuple[dict, str] | None = None

    def load(self):
        if self.kept is None:
            return None
        arrays, document = self.kept
        return copy.deepcopy(arrays), json.loads(document)

    def save(self, arrays, document) -> None:
        if document["epoch"] == self.fail_at:
            raise OSError("disk full")
        self.kept = copy.deepcopy(dict(arrays)), json.dumps(document, allow_nan=False)

    def clear(self) -> None:
        self.kept = None


@pytest.fixture
def make_model() -> Callable:
    return small_model


@pytest.fixture
def make_training() -> Callable:
    return small_training


@pytest.fixture
def same_bits() -> Callable:
    return same


@pytest.fixture
def memory_store() -> type[MemoryStore]:
    return MemoryStore
