"""How well each model forecasts, and whether it gains over its baseline."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from attnpipe.aggregation.losses import ModelLosses, SharedSplit, common_seeds, losses_by_unit
from attnpipe.aggregation.scores import (
    GAINS,
    SCORES,
    contributions,
    estimate,
    of_kind,
    seed_scores,
    unit_scores,
)
from attnpipe.core.errors import UserError
from attnpipe.schema.analysis import ContrastSpec
from attnpipe.stats.confidence import TOST_CONFIDENCE
from attnpipe.stats.effect_size import hedges_g
from attnpipe.stats.equivalence import equivalence
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.sign_flip import sign_flip_test
from attnpipe.tables.study import COMPARISONS

TRIVIAL = "trivial"
"""What stands in `baseline` at level `skill`."""

Row = dict[str, Any]


def contrast(
    evaluations: Mapping[tuple[str, int], pl.DataFrame],
    baselines: Mapping[str, str | None],
    options: ContrastSpec,
) -> pl.DataFrame:
    """Score every model and compare it with the trivial predictor and with its baseline.

    Losses are averaged within units first. Units count with their number of items,
    both in the point estimate, which thereby is the pooled value (the mean over all
    items, as everybody computes it), and in its two-way (seed × unit) variance; seeds
    count equally. Gains are paired: the same seed, the same unit, on both sides.
    Roots go in by their exact mean and their linear contributions, intervals of ratios are
    Fieller's (`aggregation.scores`, `stats.ratio`). A seed whose losses are those of an
    earlier one, bit for bit, counts once; where model and baseline agree in every bit, that
    seed is no comparison.

    Parameters
    ----------
    evaluations
        (model, seed) → `tables.EVALUATION` of a run that ended well. Runs that did not
        are absent, or empty.
    baselines
        Model → its baseline, or None; all models, in the order of the result.
    options
        Margin and accuracy threshold.

    Returns
    -------
    DataFrame
        `tables.COMPARISONS`. One seed, or one unit: values without intervals. Seeds
        missing on one side: gains on the common seeds, as many as `n_seeds` says; a
        null value where there is none. No positive skill: no skill units, no margin.

    Raises
    ------
    UserError
        If runs were tested on different windows, or a run's model is not in `baselines`.
    """
    stray = next((model for model, _ in evaluations if model not in baselines), None)
    if stray is not None:
        raise UserError(f"model '{stray}' has an evaluation but is not in the study: remove it")
    present = {run: frame for run, frame in evaluations.items() if len(frame)}
    if not present:
        gains = [_no_gain(m, b, k) for m, b in baselines.items() if b for k in GAINS]
        return COMPARISONS.frame(gains)

    split, losses = losses_by_unit(present, options.accuracy_threshold)
    scored = {model: losses[model] for model in baselines if model in losses}
    by_seed = [_seed_rows(model, of, split) for model, of in scored.items()]
    by_unit = [_unit_rows(model, of, split) for model, of in scored.items()]
    rows: list[Row] = []
    over_seeds = {model: _model_rows(model, of, split) for model, of in scored.items()}
    for of_model in over_seeds.values():
        rows += of_model
    for of_model in over_seeds.values():
        rows += [_skill_row(row) for row in of_model if row["metric"] == "skill"]
    for model, baseline in baselines.items():
        if baseline is not None:
            rows += _gain_rows(model, baseline, losses, split, options)
    frames = [*by_seed, *by_unit, COMPARISONS.frame(rows)]
    table = pl.concat([COMPARISONS.conform(frame) for frame in frames])
    return table.with_columns(pl.selectors.float().fill_nan(None))


def in_order(baselines: Mapping[str, str | None], models: Iterable[str]) -> dict[str, str | None]:
    """Return baselines in the order of the models of all runs, each of them once or more.

    That is the order of the config; the param of a job holds mappings sorted by name.
    """
    return {model: baselines[model] for model in dict.fromkeys(models)}


def _seed_rows(model: str, losses: ModelLosses, split: SharedSplit) -> pl.DataFrame:
    scores = of_kind(seed_scores(losses, split), split)
    return pl.DataFrame({
        "level": "seed",
        "model": model,
        "metric": np.repeat(list(scores), len(losses.seeds)),
        "seed": np.tile(losses.seeds, len(scores)),
        "value": np.concatenate(list(scores.values())),
        "n_seeds": 1,
        "n_units": len(split.items),
    })  # fmt: skip


def _unit_rows(model: str, losses: ModelLosses, split: SharedSplit) -> pl.DataFrame:
    scores = of_kind(unit_scores(losses, split), split)
    return pl.DataFrame({
        "level": "unit",
        "model": model,
        "metric": np.repeat(list(scores), len(split.items)),
        "unit": pl.concat([split.units] * len(scores)),
        "value": np.concatenate(list(scores.values())),
        "n_seeds": len(losses.known()),
        "n_units": 1,
    })  # fmt: skip


def _model_rows(model: str, losses: ModelLosses, split: SharedSplit) -> list[Row]:
    seeds = losses.independent()
    rows = []
    for metric, score in of_kind(SCORES, split).items():
        row: Row = {
            "level": "model",
            "model": model,
            "metric": metric,
            "n_seeds": len(seeds),
            "n_units": len(split.items),
        }
        if len(seeds):
            row |= _interval(estimate(score(losses.at(seeds), split), split.shares))
        rows.append(row)
    return rows


def _skill_row(of_model: Row) -> Row:
    """Return a model's skill as a comparison with the trivial predictor."""
    return of_model | {"level": "skill", "baseline": TRIVIAL}


def _gain_rows(
    model: str,
    baseline: str,
    losses: Mapping[str, ModelLosses],
    split: SharedSplit,
    options: ContrastSpec,
) -> list[Row]:
    if model not in losses or baseline not in losses:
        return [_no_gain(model, baseline, metric) for metric in of_kind(GAINS, split)]
    seeds, _ = common_seeds(losses[model], losses[baseline])
    if len(seeds) == 0:
        return [_no_gain(model, baseline, metric) for metric in of_kind(GAINS, split)]

    ours, theirs = losses[model].at(seeds), losses[baseline].at(seeds)
    skilled = float((split.trivial - ours.loss.mean(axis=0)) @ split.shares)
    margins = {"loss": options.delta * skilled, "skill_units": options.delta} if skilled > 0 else {}
    rows = []
    for metric, gain in of_kind(GAINS, split).items():
        parts = gain(ours, theirs, split)
        found = estimate(parts, split.shares)
        row = _no_gain(model, baseline, metric) | _interval(found)
        row["lo90"], row["hi90"] = found.interval(TOST_CONFIDENCE)
        row |= {"n_seeds": len(seeds), "n_units": len(split.items)}
        if len(seeds) > 1:
            by_seed = contributions(parts) @ split.shares
            test = sign_flip_test(by_seed)
            row["hedges_g"] = hedges_g(by_seed)
            row["p_sign_flip"], row["p_smallest"] = test.p, test.smallest
        if metric in margins:
            row["margin"] = margins[metric]
            row["equivalence"] = equivalence(found, margins[metric])
        rows.append(row)
    return rows


def _no_gain(model: str, baseline: str | None, metric: str) -> Row:
    return {"level": "gain", "model": model, "baseline": baseline, "metric": metric,
            "n_seeds": 0, "n_units": 0}  # fmt: skip


def _interval(found: Estimate) -> Row:
    lo, hi = found.interval()
    return {"value": found.value, "lo95": lo, "hi95": hi, "df": found.df}
