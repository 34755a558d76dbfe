"""What is missing from a figure, and why: in short for a row, in full for a panel."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from attnpipe.figures.context import FigureContext
from attnpipe.figures.selection import UNKNOWABLE, Tables, finals

NO_SEED_AXIS = "the weights come without a seed axis"
AVERAGED = "the weights were averaged before they were saved"


@dataclass(frozen=True)
class Gap:
    """Why there is nothing to draw."""

    short: str
    full: str


def gap(
    tables: Tables,
    context: FigureContext,
    model: str,
    metric: str | None = None,
    *,
    pairs: bool = False,
    values: str = "value",
) -> Gap:
    """Say why a model has nothing to draw.

    Parameters
    ----------
    metric
        What is missing, if it is a metric.
    pairs
        Whether at least two seeds are needed.
    values
        What is missing, in a word.
    """
    trouble = run_trouble(tables, context, model)
    if len(trouble) >= len(context.seeds):
        return Gap("no good run", _runs(trouble))
    if metric is not None and unknowable(tables, model, metric):
        return Gap("unknowable", f"cannot be known: {AVERAGED}")
    if pairs and not has_seeds(tables, model):
        return Gap("unknowable", f"unknowable: {NO_SEED_AXIS}")
    if pairs and finals(tables).filter(pl.col("model") == model).height == 1:
        return Gap("one seed only", "needs two seeds: there is one")
    return Gap(f"no {values}", f"no {values} of {metric}" if metric else f"no {values}")


def unknowable(tables: Tables, model: str, metric: str) -> bool:
    """Whether the metric of a model cannot be known from what was stored."""
    if "metric_values" not in tables:
        return False
    frame = tables["metric_values"].filter(
        (pl.col("model") == model) & (pl.col("metric") == metric)
    )
    return frame.height > 0 and bool((frame["condition"] == UNKNOWABLE).fill_null(False).all())


def has_seeds(tables: Tables, model: str) -> bool:
    """Whether a model's runs are replicates under different seeds, or it is not known."""
    runs = tables["inventory"].filter(pl.col("model") == model)
    return bool(runs["has_seeds"].fill_null(True).all())


def unknowable_note(tables: Tables, models: Sequence[str], metric: str) -> list[str]:
    """Explain the word `unknowable` where a figure uses it."""
    if any(unknowable(tables, model, metric) for model in models):
        return [f"Unknowable: {AVERAGED}, so that nothing is known of single rows."]
    return []


def run_trouble(tables: Tables, context: FigureContext, model: str) -> list[str]:
    """Return one phrase per seed of a model without a good run, e.g. ``seed 7 diverged``."""
    runs = tables["inventory"].filter(pl.col("model") == model)
    found = {run["seed"]: run for run in runs.iter_rows(named=True)}
    phrases = []
    for seed in context.seeds:
        run = found.get(seed)
        if run is None:
            phrases.append(f"seed {seed} missing")
        elif run["outcome"] != "ok":
            why = f" ({run['reason']})" if run["reason"] else ""
            phrases.append(f"seed {seed} {run['outcome']}{why}")
        elif run["identical_to"] is not None:
            phrases.append(f"seed {seed} is a copy of {run['identical_to']}")
    return phrases


def gap_notes(tables: Tables, context: FigureContext, models: Sequence[str]) -> list[str]:
    """Name the runs that are missing from a figure, the first few in full."""
    troubles = {m: t for m in models if (t := run_trouble(tables, context, m))}
    lines = [f"No good run: {context.label(m)}, {_runs(t)}." for m, t in troubles.items()]
    if len(lines) > 3:
        more = f"{len(lines) - 3} more model{'' if len(lines) == 4 else 's'}"
        return [*lines[:3], f"No good run: {more}, see inventory.csv."]
    return lines


def _runs(trouble: Sequence[str]) -> str:
    if all(phrase.endswith(" missing") for phrase in trouble) and len(trouble) > 1:
        return f"no run found of {len(trouble)} seeds"
    more = f"; {len(trouble) - 2} more" if len(trouble) > 2 else ""
    return "; ".join(trouble[:2]) + more
