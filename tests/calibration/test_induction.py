"""Induction heads form in two layers and not in one (Olsson et al. 2022, arXiv 2209.11895).

Trained as the study `induction` trains them; bands hold for at least two of three seeds, on
scores and contrasts and not on which head it is.
"""

from pathlib import Path

import polars as pl
import pytest

from attnpipe.data.prepare import prepare
from attnpipe.extraction.run import extract
from attnpipe.interventions.run import intervene
from attnpipe.measurement.run import measure
from attnpipe.pipeline.config import load_study
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.training.run import train

CONFIG = Path(__file__).parents[2] / "config"
SEEDS = (0, 1, 2)
ENOUGH = 2
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, int], dict[str, float]]:
    """Model and seed → loss on repeats, best scores by layer, cost of E3 in the last layer."""
    study = load_study(CONFIG, {"study": "induction"}).spec
    dataset = prepare(study.data, cache=Path())  # type: ignore[arg-type]
    facts = {}
    for name, layers in (("two_layers", 2), ("one_layer", 1)):
        model, training = study.models[name], study.training
        assert training is not None
        for seed in SEEDS:
            run = train(dataset, model, training, seed, name=name)
            best = {k: run.checkpoints[k] for k in ("untrained", "best")}
            seen = extract(
                dataset, model, best, run.outcome, study.analysis.capture, study.analysis.metrics,
                run=f"{name}/seed-{seed}",
            )  # fmt: skip
            table = measure(
                seen.records, seen.probe, study.analysis.metrics, model=name, seed=seed
            ).filter(pl.col("checkpoint") == "best")
            spec = InterventionSpec(names=["position_mean"])
            replaced = intervene(
                dataset, model, best, run.outcome, spec, name=name, seed=seed
            )  # fmt: skip
            last = replaced.filter(pl.col("layer").eq_missing(layers - 1 if layers > 1 else None))
            of = {"loss": float(run.evaluation["loss"].mean()), "E3": float(last["delta"].mean())}  # type: ignore[arg-type]
            for score in ("induction", "previous_token"):
                for layer in range(layers):
                    rows = table.filter(
                        (pl.col("metric") == f"{score}_best_head") & (pl.col("layer") == layer)
                    )
                    of[f"{score} {layer}"] = rows["value"].item()
            facts[name, seed] = of
    return facts


def holds(found: dict[tuple[str, int], dict[str, float]], model: str, fact: str) -> list[float]:
    return sorted(found[model, seed][fact] for seed in SEEDS)


def within(values: list[float], low: float, high: float) -> bool:
    return sum(low <= value <= high for value in values) >= ENOUGH


def test_two_layers_learn_to_repeat(found) -> None:
    assert within(holds(found, "two_layers", "loss"), 0.0, 0.05)
    assert within(holds(found, "two_layers", "induction 1"), 0.86, 1.0)
    assert within(holds(found, "two_layers", "previous_token 0"), 0.30, 0.60)
    assert within(holds(found, "two_layers", "induction 0"), 0.0, 0.2)


def test_one_layer_does_not(found) -> None:
    assert within(holds(found, "one_layer", "loss"), 1.5, 3.0)
    assert within(holds(found, "one_layer", "induction 0"), 0.0, 0.2)


def test_the_second_layer_needs_its_content(found) -> None:
    assert within(holds(found, "two_layers", "E3"), 1.0, 6.0)
