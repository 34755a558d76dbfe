"""Losses of shortened inputs → which policy, at which budget, costs less than δ."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from attnpipe.aggregation.losses import PerUnit
from attnpipe.schema.compression import Policy
from attnpipe.stats.confidence import CONFIDENCE, NAN
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.paired_ratio import paired_ratio
from attnpipe.stats.ratio import Ratio
from attnpipe.tables.compression import COMPRESSION, COMPRESSION_LOSSES

ORACLE: Policy = "top_attention"
SIMPLEST_FIRST: tuple[Policy, ...] = (
    "recent", "sink_recent", "uniform", "static_top", "random", ORACLE,
)  # fmt: skip
SELECTION, CONFIRMATION = "selection", "confirmation"
WHAT = ["policy", "budget", "reindexed"]

Row = dict[str, Any]


def compression(losses: Sequence[pl.DataFrame], delta: float) -> pl.DataFrame:
    """Estimate what every policy costs, and choose the cheapest input that will do.

    Of a pretrained model, which has one run, units are what is counted; of models that are
    trained here seeds, too. Costs are in units of the model's skill: the loss that is added
    over what the whole input removes from the trivial loss. On the selection split bounds
    hold for all policies and budgets at once (Bonferroni over the pairs that keep
    positions); the choice is then tried on the confirmation split, where it is the only
    one. An oracle is never chosen. The whole input costs nothing, is no bet that a bound
    must cover, and is what is chosen where nothing shorter will do.

    Parameters
    ----------
    losses
        `tables.COMPRESSION_LOSSES` of every run.
    delta
        Practical margin, in units of skill.

    Returns
    -------
    DataFrame
        `tables.COMPRESSION`.
    """
    present = [COMPRESSION_LOSSES.conform(frame) for frame in losses if len(frame)]
    if not present:
        return COMPRESSION.frame()
    rows: list[Row] = []
    groups = pl.concat(present).partition_by("model", "variant", as_dict=True, maintain_order=True)
    for (model, variant), frame in groups.items():
        found = [{"model": model, "variant": variant} | row for row in _rows(frame, delta)]
        _choose(found)
        rows += found
    return COMPRESSION.frame(rows).with_columns(pl.col(pl.Float64).fill_nan(None))


def _rows(frame: pl.DataFrame, delta: float) -> Iterator[Row]:
    shorter = ~pl.col("reindexed") & (pl.col("budget") < 1)
    pairs = max(1, frame.filter(shorter).select("policy", "budget").n_unique())
    keys = [*WHAT, "split"]
    for key, group in frame.partition_by(*keys, as_dict=True, maintain_order=True).items():
        row: Row = dict(zip(keys, key, strict=True))
        added, skill = _by_unit(group)
        pretrained = group["variant"].null_count() == 0
        if not added.size:
            estimate = Estimate(NAN)
        elif not added.any() and skill.mean() > 0:
            estimate = Estimate(0.0, 0.0, 1.0)  # the whole input, however little it tells
        elif pretrained:
            estimate = paired_ratio(added[0], skill[0])
        else:
            equal = np.full(added.shape[1], 1 / added.shape[1])
            estimate = Ratio(added, skill, equal).estimate()
        lo, hi = estimate.interval()
        upper = bound(estimate, pairs if row["split"] == SELECTION else 1)
        yield row | {
            "value": estimate.value, "lo95": lo, "hi95": hi, "upper": upper,
            "nats": float(added.mean()) if added.size else None,
            "kept": group["kept"].mean(), "n_seeds": added.shape[0], "n_units": added.shape[1],
            "within": bool(upper < delta), "costly": bool(lo > delta), "chosen": False,
        }  # fmt: skip


def bound(estimate: Estimate, tried: int) -> float:
    """Return a one-sided 95 % bound that holds for so many estimates at once (Bonferroni)."""
    return estimate.interval(1 - 2 * (1 - CONFIDENCE) / tried)[1]


def _by_unit(frame: pl.DataFrame) -> tuple[PerUnit, PerUnit]:
    """Return the loss added and the skill of the whole input, of units that have both."""
    intact = pl.col("loss") - pl.col("delta")
    means = frame.group_by("seed", "unit", maintain_order=True).agg(
        pl.col("delta").mean(), skill=(pl.col("trivial_loss") - intact).mean()
    )
    tables = []
    for column in ("delta", "skill"):
        wide = means.pivot(on="unit", index="seed", values=column).sort("seed").drop("seed")
        tables.append(wide.to_numpy().astype(np.float64))
    known = ~np.isnan(tables[1]).any(axis=0)
    return tables[0][:, known], tables[1][:, known]


def _choose(rows: list[Row]) -> None:
    """Mark the smallest budget within δ, by the simplest policy, in both splits."""
    fit = [
        row for row in rows
        if row["split"] == SELECTION and row["within"] and not row["reindexed"]
        and row["policy"] != ORACLE
    ]  # fmt: skip
    if not fit:
        return
    best = min(fit, key=lambda row: (row["budget"], SIMPLEST_FIRST.index(row["policy"])))
    for row in rows:
        row["chosen"] = all(row[key] == best[key] for key in WHAT)
