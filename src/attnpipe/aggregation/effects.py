"""Causal evidence: effects of interventions and of retrained arms, with their intervals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from attnpipe.aggregation.losses import (
    ModelLosses,
    PerUnit,
    SharedSplit,
    common_seeds,
    losses_by_unit,
)
from attnpipe.aggregation.same_heads import same_heads
from attnpipe.aggregation.scores import Parts, contributions, estimate, skill_units
from attnpipe.core.errors import UserError
from attnpipe.stats.confidence import CONFIDENCE, TOST_CONFIDENCE
from attnpipe.stats.effect_size import hedges_g
from attnpipe.stats.equivalence import claim_p
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.log_of_means import log_of_means
from attnpipe.stats.log_ratio import log_ratio
from attnpipe.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm
from attnpipe.stats.seeds_needed import seeds_needed_two_way
from attnpipe.stats.sign_flip import sign_flip_test
from attnpipe.tables.effects import EFFECTS
from attnpipe.tables.interventions import INTERVENTIONS
from attnpipe.tables.study import SIMILARITY

CODES = {
    "output_mean": "E1", "uniform": "E2", "position_mean": "E3", "permuted": "E4",
}  # fmt: skip
ARM_CODES = {"none": "R0", "uniform": "R1", "static": "R2"}
SAME = {"uniform": "uniform", "static": "position_mean"}
"""Arm → intervention that makes of a model what the arm is."""
WHERE = ("layer", "head", "removed")

Run = tuple[str, int]
Row = dict[str, Any]


@dataclass(frozen=True)
class _Pair:
    """Losses with and without something, of the same seeds and units."""

    keys: Row
    without: PerUnit
    model: PerUnit
    seeds: Int[np.ndarray, " seed"]
    copies: int = 0


def effects(
    evaluations: Mapping[Run, pl.DataFrame],
    interventions: Mapping[Run, pl.DataFrame],
    arms: Mapping[str, Mapping[str, str]],
    delta: float,
    similarity: Mapping[str, pl.DataFrame] | None = None,
) -> pl.DataFrame:
    """Estimate what attention is good for in each model.

    Losses are averaged within units first; seeds and units are crossed in the variance
    (`stats.two_way`). Pairs share seed and unit. In skill units the effect is divided by
    what the model removes from the loss of the best trivial predictor (`stats.ratio`).

    Parameters
    ----------
    evaluations
        (model, seed) → `tables.EVALUATION`, of models and arms; empty for runs that did
        not end well.
    interventions
        (model, seed) → `tables.INTERVENTIONS` of models with attention.
    arms
        Model → arm → model that is the arm.
    delta
        Practical margin, in units of skill.
    similarity
        Model → `tables.SIMILARITY`, by which single heads are matched between seeds
        (`aggregation.same_heads`); without it those of the first seed stand alone.

    Returns
    -------
    DataFrame
        `tables.EFFECTS`. An arm without runs, or whose seeds have no counterpart, has a
        row without value; so has one that agrees with the model in every bit.

    Raises
    ------
    UserError
        If runs were tested on different windows or units.
    """
    present = {run: frame for run, frame in evaluations.items() if len(frame)}
    if not present:
        return EFFECTS.frame(
            [_empty(m, arm, run) for m, of in arms.items() for arm, run in of.items()]
        )
    split, losses = losses_by_unit(present, 1.0)
    of_model: dict[str, list[pl.DataFrame]] = {m: [] for m, _ in interventions}
    for (model, _), frame in interventions.items():
        of_model[model].append(frame)
    rows: list[Row] = []
    for model in dict.fromkeys([*of_model, *arms]):
        replaced = _matched(of_model.get(model, []), (similarity or {}).get(model))
        for pair in _pairs(model, losses, split, replaced, arms):
            rows += _rows(model, pair, split, delta)
    rows += [
        _empty(model, arm, run)
        for model, of in arms.items()
        for arm, run in of.items()
        if not any(
            r["model"] == model and r.get("name") == arm and r["kind"] == "arm" for r in rows
        )
    ]
    return _adjusted(EFFECTS.frame(rows)).with_columns(pl.selectors.float().fill_nan(None))


def _matched(
    interventions: Sequence[pl.DataFrame], similarity: pl.DataFrame | None
) -> pl.DataFrame:
    """Return a model's interventions, whose single heads have the same name in all its runs."""
    known = [frame for frame in interventions if len(frame)]
    replaced = INTERVENTIONS.conform(pl.concat(known)) if known else INTERVENTIONS.frame()
    return same_heads(replaced, SIMILARITY.frame() if similarity is None else similarity)


def _pairs(
    model: str,
    losses: Mapping[str, ModelLosses],
    split: SharedSplit,
    interventions: pl.DataFrame,
    arms: Mapping[str, Mapping[str, str]],
) -> Iterator[_Pair]:
    if model not in losses:
        return
    own = losses[model]
    good = own.independent()
    replaced = interventions.filter(pl.col("seed").is_in(good.tolist()))
    unchanged = _unchanged(replaced)
    # in the order of seeds, whatever that of the config
    for keys, seeds, loss in _by_unit(replaced.sort("seed", maintain_order=True), split):
        known = np.intersect1d(good, seeds)
        yield _Pair(keys, loss[np.isin(seeds, known)], own.at(known).loss, known)
    for arm, run in arms.get(model, {}).items():
        if run not in losses:
            continue
        known, copied = common_seeds(own, losses[run], unchanged.get(SAME.get(arm, ""), ()))
        if run == model:  # it has equal weights itself
            known, copied = good, np.array([], dtype=np.int64)
        keys = {"kind": "arm", "code": ARM_CODES[arm], "name": arm, "against": run}
        yield _Pair(keys, losses[run].at(known).loss, own.at(known).loss, known, copies=len(copied))


def _unchanged(frame: pl.DataFrame) -> dict[str, set[int]]:
    """Return intervention → seeds at which it changes nothing in any bit.

    Where equal weights do not (a row of one key, say), the model computes what its arm R1 does,
    so that one trained alike is no copy of it, even if it agrees; R2 likewise, where a weight per
    position changes nothing.
    """
    whole = pl.all_horizontal(pl.col(c).is_null() for c in WHERE)
    same = (pl.col("delta") == 0.0).all() & pl.col("delta").is_not_null().all()
    found: dict[str, set[int]] = {}
    each = frame.filter(whole).group_by("intervention", "seed").agg(same).filter("delta")
    for name, seed, _ in each.iter_rows():
        found.setdefault(name, set()).add(int(seed))
    return found


def _by_unit(
    frame: pl.DataFrame, split: SharedSplit
) -> Iterator[tuple[Row, Int[np.ndarray, " seed"], Float[np.ndarray, "seed unit"]]]:
    """Yield each intervention's losses per seed and unit; draws are averaged."""
    keys = ["intervention", *WHERE]
    # The head removed last differs from seed to seed: only their number is common.
    of_number = pl.col("removed").is_not_null()
    frame = frame.with_columns(
        pl.when(of_number).then(None).otherwise(pl.col(c)).alias(c) for c in ("layer", "head")
    )
    means = frame.group_by(*keys, "seed", "unit", maintain_order=True).agg(pl.col("loss").mean())
    for group in means.partition_by(keys, maintain_order=True):
        row = group.row(0, named=True)
        table = group.pivot(on="unit", index="seed", values="loss").sort("seed")
        if set(table.columns) - {"seed"} != set(split.units):
            raise UserError(
                f"the units of intervention '{row['intervention']}' are not those of the test "
                "split: run the intervene stage again"
            )
        yield (
            {"kind": "intervention", "code": _code(row), "name": row["intervention"]}
            | {k: row[k] for k in WHERE},
            table["seed"].to_numpy(),
            table.select(split.units.to_list()).to_numpy(),
        )


def _code(row: Row) -> str | None:
    whole = all(row[k] is None for k in WHERE)
    return CODES.get(row["intervention"]) if whole else None


def _rows(model: str, pair: _Pair, split: SharedSplit, delta: float) -> list[Row]:
    if not len(pair.seeds):
        return [_empty(model, pair.keys["name"], pair.keys["against"]) | {"copies": pair.copies}]
    shares, of_arm = split.shares, pair.keys["kind"] == "arm"
    lost = pair.without - pair.model
    skilled = float((split.trivial - pair.model.mean(axis=0)) @ shares)
    measures: dict[str, tuple[Parts, float]] = {
        "loss": (lost, delta * skilled if skilled > 0 else np.nan),
        "skill_units": (
            skill_units(lost, pair.model, split), delta if skilled > 0 else np.nan,
        ),
    }  # fmt: skip
    rows = []
    for metric, (parts, margin) in measures.items():
        base = {"model": model, **pair.keys, "metric": metric}
        counted = {"level": "model", "copies": pair.copies if of_arm else None}
        rows.append(base | counted | _summary(parts, shares, margin, of_arm=of_arm))
        rows += [
            base | {"level": "seed", "seed": int(seed), "value": value, "n_seeds": 1,
                    "n_units": len(split.items), "margin": margin}
            for seed, value in zip(
                pair.seeds, (contributions(parts) @ shares).tolist(), strict=True
            )
        ]  # fmt: skip
    logs = {"log_ratio": (log_ratio(pair.without, pair.model, shares).log, np.nan)}
    if pair.keys["code"] and not of_arm:
        loss = float(pair.model.mean(axis=0) @ shares)
        margin = np.log1p(delta * skilled / loss) if skilled > 0 and loss > 0 else np.nan
        logs["log_of_means"] = log_of_means(pair.without, pair.model, shares), float(margin)
    rows += [
        {"level": "model", "model": model, **pair.keys, "metric": metric,
         **_logarithm(found, margin), "n_seeds": len(pair.seeds), "n_units": len(split.items)}
        for metric, (found, margin) in logs.items()
    ]  # fmt: skip
    return rows


def _logarithm(found: Estimate, margin: float) -> Row:
    lo, hi = found.interval()
    row = {"value": found.value, "lo95": lo, "hi95": hi, "df": found.df, "p": found.p_value()}
    if np.isfinite(margin):
        row |= {"margin": margin, "p_claim": claim_p(found, margin)}
    return row


def _summary(
    parts: Parts, shares: Float[np.ndarray, " unit"], margin: float, *, of_arm: bool
) -> Row:
    z, found = contributions(parts), estimate(parts, shares)
    (lo, hi), (lo90, hi90) = found.interval(), found.interval(TOST_CONFIDENCE)
    row: Row = {
        "value": found.value, "lo95": lo, "hi95": hi, "lo90": lo90, "hi90": hi90,
        "df": found.df, "n_seeds": len(z), "n_units": z.shape[1], "margin": margin,
        "p": found.p_value(),
    }  # fmt: skip
    if len(z) > 1:
        by_seed = z @ shares
        test = sign_flip_test(by_seed)
        row |= {
            "hedges_g": hedges_g(by_seed), "p_sign_flip": test.p, "p_smallest": test.smallest,
        }  # fmt: skip
    if np.isfinite(margin):
        margins = (-margin, margin) if of_arm else (margin,)
        row["p_claim"] = claim_p(found, *margins)
        if len(z) > 1:
            # "No difference" of an arm is claimed by the 90 % interval.
            inside = of_arm and abs(found.value) < margin
            level = TOST_CONFIDENCE if inside else CONFIDENCE
            needed = seeds_needed_two_way(z, *margins, weights=shares, confidence=level)
            row["seeds_needed"] = needed.seeds
    return row


def _empty(model: str, arm: str, run: str) -> Row:
    return {
        "level": "model", "model": model, "kind": "arm", "code": ARM_CODES[arm], "name": arm,
        "against": run, "metric": "skill_units", "n_seeds": 0, "n_units": 0,
    }  # fmt: skip


def _adjusted(table: pl.DataFrame) -> pl.DataFrame:
    """Adjust p: codes over models, what acts in a layer or head alone over these."""
    of_model = (pl.col("level") == "model") & pl.col("p").is_not_null()
    coded = of_model & pl.col("code").is_not_null()
    parts = of_model & pl.col("layer").is_not_null()
    table = table.with_columns(
        p_holm=_over(coded, ["code", "metric"], holm),
        p_claim_holm=_over(coded, ["code", "metric"], holm, "p_claim"),
        p_bh=_over(parts, ["model", "name", "metric"], benjamini_hochberg),
        p_by=_over(parts, ["model", "name", "metric"], benjamini_yekutieli),
    )
    return EFFECTS.conform(table)


def _over(chosen: pl.Expr, keys: list[str], adjust: Any, column: str = "p") -> pl.Expr:
    p = pl.when(chosen).then(pl.col(column)).otherwise(None).cast(pl.Float64)
    return (
        p.map_batches(
            lambda s: pl.Series(adjust(s.fill_null(np.nan).to_numpy())), return_dtype=pl.Float64
        )
        .over(keys)
        .fill_nan(None)
    )
