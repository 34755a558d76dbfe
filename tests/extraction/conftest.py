"""Trained runs to extract from."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from pydantic import TypeAdapter

from attnpipe.core.outcome import Outcome
from attnpipe.schema.analysis import CaptureSpec, MetricsSpec
from attnpipe.schema.model import ModelSpec
from attnpipe.schema.training import TrainingSpec

METRICS = MetricsSpec(top_k=[2, 3], recent_k=[2, 3])


def small_model(kind: str):
    fields: dict = {"kind": "lstm", "label": "m", "baseline": "b", "hidden": 4, "layers": 1}
    if kind == "mlp":
        fields = {"kind": "mlp", "label": "m", "input": "flat", "hidden": [4]}
    elif kind != "lstm":
        fields["attention"] = {"kind": kind} | ({"size": 3} if kind == "additive" else {})
    return TypeAdapter(ModelSpec).validate_python(fields)


@dataclasses.dataclass
class Trained:
    """All arguments of `extract`."""

    dataset: object
    model: object
    checkpoints: dict
    outcome: Outcome

    def extract(self, max_megabytes: float = 64.0, shuffled_inputs: bool = False):
        from attnpipe.extraction.run import extract

        capture = CaptureSpec(max_megabytes=max_megabytes, shuffled_inputs=shuffled_inputs)
        return extract(
            self.dataset,
            self.model,
            self.checkpoints,
            self.outcome,
            capture,
            METRICS,
            run="m/seed-7",
        )


@pytest.fixture(scope="session")
def trained_cache() -> dict:
    return {}


@pytest.fixture
def make_trained(make_dataset, trained_cache) -> Callable:
    """Return a maker of runs trained for three epochs; each is trained once."""
    from attnpipe.training.run import train

    training = TrainingSpec(
        epochs=3, windows_per_epoch=100, batch_size=20, learning_rate=0.02, clip_norm=1.0
    )

    def make(kind: str) -> Trained:
        dataset, model = make_dataset(), small_model(kind)
        if kind not in trained_cache:
            trained_cache[kind] = train(dataset, model, training, 7, name="m")
        run = trained_cache[kind]
        weights = {c: {k: np.array(a) for k, a in w.items()} for c, w in run.checkpoints.items()}
        return Trained(dataset, model, weights, run.outcome)

    return make


@pytest.fixture
def metrics() -> MetricsSpec:
    return METRICS
