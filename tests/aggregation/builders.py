"""Small runs and evaluations to aggregate."""

import numpy as np
import polars as pl

from attnpipe.aggregation.runs import RunTables
from attnpipe.core.outcome import Outcome
from attnpipe.core.record import LayerRecord, Probe
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.history import HISTORY
from attnpipe.tables.metrics import METRICS

UNITS = ["b", "a", "b", "c", "a", "b", "c", "b", "d", "d"]
"""Units interleaved, of 4, 2, 2 and 2 items."""


def evaluation(seed, quality=0.5, units=UNITS, repeat=1, shift=0.0):
    """An evaluation whose targets and trivial losses are the same for every seed."""
    units = units * repeat
    target = np.random.default_rng(99).normal(1.0, 2.0, len(units))
    noise = np.random.default_rng([seed, int(1000 * quality)]).normal(0, 1, len(units))
    prediction = quality * target + 0.3 * noise + shift
    return EVALUATION.conform(
        pl.DataFrame(
            {
                "item": np.arange(len(units)),
                "sequence": ["s"] * len(units),
                "unit": units,
                "target": target,
                "prediction": prediction,
                "loss": (target - prediction) ** 2,
                "trivial_loss": target**2,
            }
        )
    )


def softmax(logits):
    weights = np.exp(logits)
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def record(checkpoint, weights, support=None, layer=0, states=None, samples=None):
    """A record of weights [head, sample, query, key]; queries are the newest positions."""
    _, n, queries, keys = weights.shape
    return LayerRecord(
        checkpoint=checkpoint,
        layer=layer,
        weights=weights.astype(np.float32),
        support=np.ones((1, 1, keys), dtype=bool) if support is None else support,
        query_positions=np.arange(keys - queries, keys),
        key_positions=np.arange(keys),
        samples=np.arange(n) if samples is None else samples,
        states=states or {},
    )


def weights(seed, shape=(1, 6, 1, 8), sd=1.0, shared=0.0):
    """Random weights; `shared` is the share of logits that all seeds have in common."""
    own = np.random.default_rng(seed).normal(size=shape)
    common = np.random.default_rng(12345).normal(size=shape)
    return softmax(sd * (shared * common + (1 - shared) * own))


def metrics(seed, values, model="m", layer=0, head=0):
    """Metric rows from (checkpoint, metric, value, {other columns})."""
    rows = [
        {"model": model, "seed": seed, "checkpoint": checkpoint, "layer": layer, "head": head,
         "metric": metric, "value": value} | rest
        for checkpoint, metric, value, rest in values
    ]  # fmt: skip
    return METRICS.frame(rows)


def simple_metrics(seed, final="best"):
    """Entropy and validity at a few checkpoints."""
    rows = []
    for place, checkpoint in enumerate(("untrained", "epoch_001", "epoch_002", final)):
        value = 1 - 0.1 * place - 0.01 * seed
        rows += [
            (checkpoint, "entropy_normalized", value, {}),
            (checkpoint, "entropy_normalized", value - 0.5, {"item": 3}),
            (checkpoint, "profile_entropy_normalized", value + 0.01, {}),
            (checkpoint, "profile", 0.25, {"target": 0}),
            (checkpoint, "rows_valid", 6.0, {}),
            (checkpoint, "rows_excluded", 2.0, {"condition": "padding"}),
            (checkpoint, "rows_excluded", 1.0, {"condition": "sum"}),
        ]
    return metrics(seed, rows)


def history(seed, epochs=3, model="m"):
    return HISTORY.frame(
        [{"model": model, "seed": seed, "epoch": e, "train_loss": 1.0 / (e + 1)}
         for e in range(epochs)]
    )  # fmt: skip


def run(seed, *, outcome="ok", final="best", of=None, untrained=True, probe=None, table=None):
    """A run with one layer and one head, unless its final weights `of` say otherwise."""
    of = weights(seed) if of is None else of
    fixed = {"halves": np.arange(of.shape[1]) % 2, "final": final} | (probe or {})
    return RunTables(
        seed=seed,
        outcome=Outcome(outcome, None if outcome == "ok" else f"seed {seed} {outcome}", 100),
        probe=Probe(**fixed),
        metrics=simple_metrics(seed, final) if table is None else table,
        history=history(seed),
        final=[record(final, of)],
        untrained=[record("untrained", weights(100 + seed, of.shape, sd=0.01))]
        if untrained
        else [],
    )
