"""Stacked training is the training of the pipeline, and so are its interventions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.calibration.batched import forward, load, losses, stacked, train
from tests.calibration.cases import NAMES, calibrated
from tests.calibration.causal import interventions

from attnpipe.data.synthetic.prepare import prepare
from attnpipe.interventions.run import intervene
from attnpipe.models.build import build_model
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.training.run import train as train_one

SEEDS = [3, 8]
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
CODES = {"E1": "output_mean", "E2": "uniform", "E3": "position_mean", "E4": "permuted"}


@pytest.fixture(scope="module", params=DEVICES)
def made(request):
    """Return a maker of small datasets, trained stacks and the pipeline's own runs."""

    def make(name: str, variant: str):
        case = calibrated(name)
        spec = case.study.spec.data.model_copy(
            update={"train_windows": 600, "validation_windows": 128, "test_windows": 250}
        )
        data = prepare(spec, cache=Path())
        training = case.study.spec.training.model_copy(
            update={"epochs": 2, "windows_per_epoch": 320}
        )
        model = case.variants[variant]
        datasets = [data] * len(SEEDS)
        splits = {s: load(datasets, s, request.param) for s in ("train", "validation", "test")}
        start = stacked(model, data.features.shape[1], data.window, SEEDS)
        params = train(model, training, splits["train"], splits["validation"], SEEDS, start)
        runs = [train_one(data, model, training, seed, name="m") for seed in SEEDS]
        return data, model, splits, params, runs

    return make


@pytest.mark.parametrize("variant", ["model", "none", "uniform", "static"])
@pytest.mark.parametrize("name", ["recall", "lengths", "marker"])
def test_weights_are_those_of_the_pipeline(made, name: str, variant: str) -> None:
    _, _, _, params, runs = made(name, variant)
    for place, run in enumerate(runs):
        assert set(run.checkpoints["best"]) == set(params)
        for tensor, weights in run.checkpoints["best"].items():
            if tensor == "attention.score.bias":
                continue  # softmax ignores it: its gradient is rounding alone
            np.testing.assert_allclose(params[tensor][place].cpu(), weights, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", ["recall", "lengths", "marker"])
def test_interventions_are_those_of_the_pipeline(made, name: str) -> None:
    data, model, splits, params, runs = made(name, "model")
    acted = interventions(model, params, splits["train"], splits["test"], 512)
    scale = data.target_scale**2
    for place, run in enumerate(runs):
        weights = {k: v[place].cpu().numpy() for k, v in params.items()}
        table = intervene(
            data, model, {**run.checkpoints, "best": weights}, run.outcome,
            InterventionSpec(names=list(CODES.values()), mean_samples=512), name="m", seed=1,
        )  # fmt: skip
        for code, intervention in CODES.items():
            own = table.filter(table["intervention"] == intervention)["loss"].to_numpy()
            np.testing.assert_allclose(acted[code][place].cpu() * scale, own, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_forecasts_are_those_of_the_module(name: str) -> None:
    case = calibrated(name)
    spec = case.study.spec.data.model_copy(
        update={"train_windows": 50, "validation_windows": 128, "test_windows": 20}
    )
    data = prepare(spec, cache=Path())
    test = load([data, data], "test")
    for model in case.variants.values():
        params = stacked(model, data.features.shape[1], data.window, SEEDS)
        out = forward(model, params, test.inputs)
        for place in range(2):
            module = build_model(model, data.features.shape[1], data.window, seed=0)
            module.load_state_dict({k: v[place] for k, v in params.items()})
            with torch.inference_mode():
                torch.testing.assert_close(out[place], module(test.inputs[place]))
        wanted = (out - test.targets) ** 2
        torch.testing.assert_close(losses(model, params, test), wanted)
