"""From losses and attention of a group of seeds to the verdict that the pipeline would print."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float
from tests.calibration.seen import MODEL

from attnpipe.aggregation.contrast import contrast
from attnpipe.aggregation.effects import CODES, effects
from attnpipe.aggregation.inventory import inventory
from attnpipe.aggregation.runs import RunTables
from attnpipe.aggregation.summary import metric_values, summarize
from attnpipe.core.outcome import Outcome
from attnpipe.core.record import Probe
from attnpipe.diagnosis.context import DiagnosisContext
from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Finding
from attnpipe.schema.analysis import ContrastSpec
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.interventions import INTERVENTIONS

Losses = Float[np.ndarray, "seed item"]
DELTA = 0.02
ITEMS = 128
"""Windows of the probe set."""


def verdict(
    losses: Mapping[str, Losses],
    trivial: Float[np.ndarray, " item"],
    looks: Sequence[pl.DataFrame],
    delta: float = DELTA,
) -> Finding:
    """Return the verdict on a group of seeds, by the pipeline's own functions.

    Parameters
    ----------
    losses
        ``model``, arms ``none``, ``uniform``, ``static`` and codes ``E1`` to ``E4`` → squared
        errors; what is absent counts as not run.
    trivial
        Losses of the best trivial predictor.
    looks
        `tables.METRICS` of each seed, as `seen` gives them.
    """
    seeds = range(len(losses[MODEL]))
    runs = [name for name in (MODEL, "none", "uniform", "static") if name in losses]
    evaluations = {
        (name, seed): evaluation(losses[name][seed], trivial) for name in runs for seed in seeds
    }
    interventions = {(MODEL, seed): _interventions(losses, seed) for seed in seeds}
    arms = {MODEL: {name: name for name in runs if name != MODEL}}
    options = ContrastSpec(delta=delta, accuracy_threshold=1.0)
    of_seeds = [
        RunTables(seed, Outcome("ok"), Probe(np.zeros(ITEMS)), metrics=table)
        for seed, table in zip(seeds, looks, strict=True)
    ]
    tables = {
        "inventory": inventory(MODEL, of_seeds),
        "metrics": summarize(metric_values(MODEL, of_seeds), of_seeds),
        "comparisons": contrast(evaluations, dict.fromkeys(runs), options),
        "effects": effects(evaluations, interventions, arms, delta),
    }
    context = DiagnosisContext(
        title="", labels={MODEL: MODEL}, attention_models=(MODEL,), baselines={MODEL: None},
        seeds=tuple(seeds), delta=delta,
    )  # fmt: skip
    (found,) = [f for f in diagnose(tables, context).findings if f.predicate == "verdict"]
    return found


def evaluation(
    loss: Float[np.ndarray, " item"], trivial: Float[np.ndarray, " item"]
) -> pl.DataFrame:
    """Return `tables.EVALUATION` of one run, each item a unit of its own."""
    items = np.arange(len(loss))
    return EVALUATION.conform(
        pl.DataFrame({
            "item": items, "sequence": items.astype(str), "unit": items.astype(str),
            "target": 0.0, "prediction": np.sqrt(loss), "loss": loss, "trivial_loss": trivial,
        })
    )  # fmt: skip


def _interventions(losses: Mapping[str, Losses], seed: int) -> pl.DataFrame:
    names = {code: name for name, code in CODES.items()}
    frames = [
        pl.DataFrame({
            "model": MODEL, "seed": seed, "intervention": names[code],
            "item": np.arange(losses[code].shape[1]),
            "unit": np.arange(losses[code].shape[1]).astype(str),
            "loss": losses[code][seed], "delta": losses[code][seed] - losses[MODEL][seed],
        })
        for code in names if code in losses
    ]  # fmt: skip
    return pl.concat([INTERVENTIONS.frame(), *(INTERVENTIONS.conform(f) for f in frames)])
