"""Scores of heads on tokens, beside loops that look at one row after the other."""

import numpy as np
import polars as pl
import pytest
from tests.measurement.records import make_probe, make_records

from attnpipe.measurement.run import measure
from attnpipe.metrics.catalogue import catalogue
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[1], recent_k=[1])
HEADS, SAMPLES, KEYS = 3, 8, 7
TOKENS = np.random.default_rng(1).integers(3, size=(SAMPLES, KEYS))


def records():
    return make_records(
        ("untrained", "epoch_001", "best"), layers=2, heads=HEADS, samples=SAMPLES, queries=KEYS,
        keys=KEYS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    probe = make_probe(SAMPLES, tokens=TOKENS, null_shares={0: [0.1, 0.2, 0.3]})
    return measure(records(), probe, OPTIONS, model="m", seed=3)


def targets(name: str, tokens: np.ndarray, q: int) -> list[int]:
    match name:
        case "diagonal":
            return [q]
        case "previous_token":
            return [q - 1] if q else []
        case "duplicate_token":
            return [j for j in range(q) if tokens[j] == tokens[q]]
    return [j for j in range(1, q + 1) if tokens[j - 1] == tokens[q]]


def by_loops(name: str, weights: np.ndarray, samples) -> tuple[float, float, int]:
    """Mean mass, mean chance and number of eligible rows of one head."""
    mass, chance = [], []
    for s in samples:
        for q in range(KEYS):
            found = targets(name, TOKENS[s], q)
            if found:
                mass.append(sum(float(weights[s, q, j]) for j in found))
                chance.append(len(found) / (q + 1))
    return float(np.mean(mass)), float(np.mean(chance)), len(mass)


@pytest.mark.parametrize("name", ["diagonal", "previous_token", "duplicate_token", "induction"])
def test_every_head_of_every_layer_and_checkpoint(table: pl.DataFrame, name: str) -> None:
    for record in records():
        at = table.filter(
            (pl.col("checkpoint") == record.checkpoint) & (pl.col("layer") == record.layer)
        )
        for head in range(HEADS):
            mass, chance, rows = by_loops(name, record.weights[head], range(SAMPLES))
            own = at.filter((pl.col("metric") == name) & (pl.col("head") == head))
            value = own.filter(pl.col("condition").is_null()).row(0, named=True)
            assert value["value"] == pytest.approx(mass, abs=1e-6)
            assert value["n_rows"] == rows
            null = own.filter(pl.col("condition") == "chance")["value"].item()
            assert null == pytest.approx(chance, abs=1e-12)


@pytest.mark.parametrize("name", ["previous_token", "induction"])
def test_the_best_head_is_chosen_on_one_half_and_judged_on_the_other(
    table: pl.DataFrame, name: str
) -> None:
    halves = np.arange(SAMPLES) % 2
    for record in records():
        first = [by_loops(name, w, np.flatnonzero(halves == 0))[0] for w in record.weights]
        best = int(np.argmax(first))
        expected, _, rows = by_loops(name, record.weights[best], np.flatnonzero(halves == 1))
        row = table.filter(
            (pl.col("checkpoint") == record.checkpoint)
            & (pl.col("layer") == record.layer)
            & (pl.col("metric") == f"{name}_best_head")
        ).row(0, named=True)
        assert row["head"] is None
        assert row["value"] == pytest.approx(expected, abs=1e-6)
        assert row["n_rows"] == rows


def test_the_catalogue_names_what_such_a_table_holds(table: pl.DataFrame) -> None:
    assert set(table["metric"]) == set(catalogue(OPTIONS, tokens=True))
