"""How alike the attention of different seeds is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from attnpipe.aggregation.matched import matched_rows, null_columns
from attnpipe.aggregation.profiles import published_profiles
from attnpipe.aggregation.runs import RunTables, are_replicates, final_label
from attnpipe.core.record import LayerRecord
from attnpipe.metrics.published import stability_word
from attnpipe.stats import profiles as of_profiles
from attnpipe.stats.against_null import AgainstNull
from attnpipe.stats.jackknife import pair_values, pairwise_mean
from attnpipe.stats.random_likeness import random_likeness
from attnpipe.stats.rows import row_similarity
from attnpipe.stats.variation import coefficient_of_variation
from attnpipe.tables.study import COMPARED_SEEDS, SIMILARITY

Pairs = Float[np.ndarray, "seed seed"]
Row = dict[str, Any]

OF_PROFILES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "profile_cosine": of_profiles.cosine,
    "jsd_distance": of_profiles.jsd_distance,
    "profile_pearson": of_profiles.pearson,
    "profile_spearman": of_profiles.spearman,
}
OF_ROWS = ("centred_cosine", "residual_cosine", "position_cosine")
WITH_NULL = "centred_cosine"
"""Measure of rows beside which stands that of heads that look at random keys."""
LOWEST = {"jsd_distance": 0.0}
"""Least value of a measure where it is not −1; the greatest is 1 for all."""


def similarity(model: str, runs: Sequence[RunTables]) -> pl.DataFrame:
    """Compare the attention of every pair of seeds, final and untrained; the first 20 of many.

    The untrained model is a null: what it scores, too, says nothing of training. Others are
    rows as sharp at random keys (`stats.random_likeness`) and position means alone. Heads are
    compared by their index and, layer by layer, matched (`aggregation.matched`). Profiles
    (`aggregation.profiles`) need the same keys in both seeds; rows need the same samples,
    queries, keys and support, and are unknowable where weights were averaged before they
    were saved.

    Parameters
    ----------
    model
        Name of the model.
    runs
        Runs that count. Pairs are those of the first `COMPARED_SEEDS`; variation at a key is
        that of all.

    Returns
    -------
    DataFrame
        `tables.SIMILARITY`. At level ``model``, `n` is the number of seeds with a value,
        or of all that were compared if none has one; the jackknife interval ends where the
        measure's range does. Values are null throughout if runs are no replicates.
    """
    rows: list[Row] = []
    finals = {run.seed: run.final for run in runs}
    untrained = {run.seed: run.untrained for run in runs if run.untrained}
    for checkpoint, records in (("untrained", untrained), (final_label(runs), finals)):
        if checkpoint is None or (checkpoint == "untrained" and records is finals):
            continue
        for layer, of_layer in _by_layer(runs, records):
            at = {"model": model, "checkpoint": checkpoint, "layer": layer}
            chosen = [run for run in runs if run.seed in of_layer]
            same = _same_rows(chosen[:COMPARED_SEEDS], of_layer)
            rows += [at | row for row in matched_rows(same, of_layer)] if same else []
            for head in range(max(record.weights.shape[0] for record in of_layer.values())):
                where = {"model": model, "checkpoint": checkpoint, "layer": layer, "head": head}
                rows += [where | row for row in _head_rows(chosen, of_layer, head)]
    return SIMILARITY.frame(rows).with_columns(pl.selectors.float().fill_nan(None))


def _by_layer(
    runs: Sequence[RunTables], records: Mapping[int, Sequence[LayerRecord]]
) -> Iterator[tuple[int, dict[int, LayerRecord]]]:
    """Yield layer and seed → record."""
    layers = {record.layer for of_run in records.values() for record in of_run}
    for layer in sorted(layers):
        yield (
            layer,
            {
                run.seed: record
                for run in runs
                for record in records.get(run.seed, ())
                if record.layer == layer
            },
        )


def _head_rows(
    runs: Sequence[RunTables],
    records: Mapping[int, LayerRecord],
    head: int,
) -> Iterator[Row]:
    """Yield all rows of one head: pairs, model, time steps."""
    runs = [run for run in runs if head < records[run.seed].weights.shape[0]]
    found = _profiles(runs, records, head)
    yield from _timestep_rows(found, are_replicates(runs))
    runs, found = runs[:COMPARED_SEEDS], found[:COMPARED_SEEDS]
    seeds = [run.seed for run in runs]
    measures = _of_profiles(found) | _of_rows(runs, records, head)
    if not are_replicates(runs):
        measures = {name: np.full_like(pairs, np.nan) for name, pairs in measures.items()}
    first, second = np.triu_indices(len(seeds), k=1)
    for measure, pairs in measures.items():
        for a, b, value in zip(first, second, pair_values(pairs), strict=True):
            yield {"level": "pair", "measure": measure, "seed_a": seeds[a], "seed_b": seeds[b],
                   "value": float(value)}  # fmt: skip
    for measure, pairs in measures.items():
        row = _model_row(measure, pairs)
        if measure == WITH_NULL and len(_same_rows(runs, records)) > 1:
            row |= null_columns(AgainstNull(row["value"], _null(runs, records, head)))
        yield row


def _model_row(measure: str, pairs: Pairs) -> Row:
    """Return the mean over pairs with its jackknife interval."""
    estimate = pairwise_mean(pairs)
    known = ~np.isnan(pairs)
    np.fill_diagonal(known, False)
    values = pair_values(pairs)
    values = values[~np.isnan(values)]
    row: Row = {"level": "model", "measure": measure, "n": int(known.any(axis=1).sum())}
    if len(values) == 0:
        return row | {"n": len(pairs), "value": float("nan")}
    lo, hi = estimate.interval()
    word = stability_word(estimate.value) if measure == "profile_cosine" else None
    return row | {
        "value": estimate.value,
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "min": float(values.min()),
        "lo95": float(np.maximum(lo, LOWEST.get(measure, -1.0))),
        "hi95": float(np.minimum(hi, 1.0)),
        "as_published": word,
    }


def _profiles(
    runs: Sequence[RunTables], records: Mapping[int, LayerRecord], head: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return key positions and profile of each run; NaN profiles are kept."""
    found = []
    for run in runs:
        row = "only" if run.probe is None else run.probe.published_row
        positions, profiles = published_profiles(records[run.seed], row)
        found.append((positions, profiles[head]))
    return found


def _of_profiles(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Pairs]:
    """Return the likeness of profiles over the same keys."""
    measures = {name: np.full((len(found), len(found)), np.nan) for name in OF_PROFILES}
    for members in _groups([positions.tobytes() for positions, _ in found]):
        stack = np.stack([found[i][1] for i in members])
        for name, function in OF_PROFILES.items():
            measures[name][np.ix_(members, members)] = function(stack)
    return measures


def _of_rows(
    runs: Sequence[RunTables], records: Mapping[int, LayerRecord], head: int
) -> dict[str, Pairs]:
    """Return the likeness of rows that are the same inputs, where rows are known."""
    measures = {name: np.full((len(runs), len(runs)), np.nan) for name in OF_ROWS}
    keys = [_rows_key(run, records[run.seed]) for run in runs]
    for members in _groups(keys):
        if keys[members[0]] is None or len(members) < 2:
            continue
        chosen = [records[runs[i].seed] for i in members]
        result = row_similarity([r.weights[head] for r in chosen], chosen[0].support)
        measures["centred_cosine"][np.ix_(members, members)] = result.centred
        measures["residual_cosine"][np.ix_(members, members)] = result.residual
        measures["position_cosine"][np.ix_(members, members)] = result.position
    return measures


def _null(
    runs: Sequence[RunTables], records: Mapping[int, LayerRecord], head: int
) -> Float[np.ndarray, " draw"]:
    """Return the likeness of heads that look at random keys; a seed's are the same in any study."""
    chosen = [records[run.seed] for run in runs]
    generators = [np.random.default_rng([run.seed, chosen[0].layer, head]) for run in runs]
    weights = [record.weights[head] for record in chosen]
    return random_likeness(weights, chosen[0].support, generators)


def _same_rows(
    runs: Sequence[RunTables], records: Mapping[int, LayerRecord]
) -> Sequence[RunTables]:
    """Return the runs if they are replicates whose rows can all be compared, else none."""
    keys = {_rows_key(run, records[run.seed]) for run in runs}
    comparable = len(keys) == 1 and None not in keys and are_replicates(runs)
    return runs if comparable else ()


def _rows_key(run: RunTables, record: LayerRecord) -> tuple[Any, ...] | None:
    """Return what must be the same for rows to be comparable; None if rows are unknown."""
    if run.probe is not None and run.probe.averaged_over:
        return None
    arrays = (record.samples, record.query_positions, record.key_positions, record.support)
    return (
        record.weights.shape[1:],
        record.support.shape,
        *(np.ascontiguousarray(array).tobytes() for array in arrays),
    )


def _groups(keys: Sequence[object]) -> list[list[int]]:
    """Return the indices of equal keys, by first appearance."""
    groups: dict[object, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _timestep_rows(
    found: Sequence[tuple[np.ndarray, np.ndarray]], replicates: bool
) -> Iterator[Row]:
    """Yield the variation over seeds of the normalised profile at each key position."""
    positions = found[0][0]
    known = [profile / profile.sum() for _, profile in found if profile.sum() > 0]
    same = all(np.array_equal(p, positions) for p, _ in found)
    variation = np.full(len(positions), np.nan)
    if same and replicates and known:
        variation = coefficient_of_variation(np.stack(known))
    for target, value in zip(positions, variation, strict=True):
        yield {"level": "timestep", "measure": "cv", "target": int(target),
               "value": float(value), "n": len(known)}  # fmt: skip
