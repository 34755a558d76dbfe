"""Rows of effects and comparisons as evidence."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from attnpipe.diagnosis.schema import Evidence

FINETUNED: Mapping[str, str] = {"uniform_finetuned": "F2", "position_mean_finetuned": "F3"}
"""Effect that is left after training under the intervention → its code in ids."""
IN_SKILL = "of the model's skill"
OF_EFFECTS = (
    "lo90", "hi90", "margin", "hedges_g", "p", "p_holm", "p_claim", "p_claim_holm",
    "p_sign_flip", "p_smallest", "seeds_needed", "copies", "against",
)  # fmt: skip
OF_LOGARITHMS: Mapping[str, tuple[str, ...]] = {
    "log_ratio": ("value", "lo95", "hi95"),
    "log_of_means": ("value", "lo95", "hi95", "margin", "p_claim_holm"),
}
OF_GAINS = ("lo90", "hi90", "margin", "equivalence", "hedges_g", "p_sign_flip", "p_smallest")

Row = Mapping[str, Any]


def _evidence(
    table: str, name: str, row: Row, keys: tuple[str, ...], facts: dict[str, Any], unit: str
) -> Evidence:
    """Return a row that has a value with its interval, found by some of its columns."""
    return Evidence(
        id=name,
        table=table,
        row={key: row[key] for key in keys},
        estimate=row["value"],
        lo95=row["lo95"],
        hi95=row["hi95"],
        n_seeds=row["n_seeds"],
        n_units=row["n_units"],
        unit=unit,
        facts=facts,
    )


def _some(row: Row, *columns: str) -> dict[str, Any]:
    return {column: row[column] for column in columns}


def causal(effects: pl.DataFrame) -> Iterator[Evidence]:
    """Yield what gates ask for: effects in units of skill, over seeds and of single seeds."""
    metric, level, coded = pl.col("metric"), pl.col("level"), pl.col("code").is_not_null()
    logs = effects.filter(coded & metric.is_in(["log_ratio", "log_of_means"]) & (level == "model"))
    log_of = {(r["model"], r["code"], r["metric"]): r for r in logs.iter_rows(named=True)}
    for row in effects.filter(coded & (metric == "skill_units")).iter_rows(named=True):
        of_seed = row["level"] == "seed"
        kind, end = ("causal_seed", f".{row['seed']}") if of_seed else ("causal", "")
        name = f"{kind}.{row['model']}.{row['code']}{end}"
        facts = {} if of_seed else _some(row, *OF_EFFECTS) | _logarithms(log_of, row)
        keys = ("level", "model", "code", "metric", "seed")
        yield _evidence("effects.csv", name, row, keys, facts, IN_SKILL)


def _logarithms(of: Mapping[tuple[str, str, str], Row], row: Row) -> dict[str, Any]:
    return {
        f"{name}_{column}": of.get((row["model"], row["code"], name), {}).get(column)
        for name, columns in OF_LOGARITHMS.items()
        for column in columns
    }


def _over_seeds(effects: pl.DataFrame, *names: str) -> Iterator[Row]:
    """Yield the effects in units of skill that have such a name."""
    found = effects.filter(
        pl.col("name").is_in(names), metric="skill_units", level="model"
    )  # fmt: skip
    return found.sort("model", "layer", "head", maintain_order=True).iter_rows(named=True)


def finetuned(effects: pl.DataFrame) -> Iterator[Evidence]:
    """Yield what is left of the cost of E2 and E3 after a short training under them."""
    for row in _over_seeds(effects, *FINETUNED):
        name = f"causal.{row['model']}.{FINETUNED[row['name']]}"
        facts = _some(row, "margin", "p", "seeds_needed")
        keys = ("level", "model", "name", "metric")
        yield _evidence("effects.csv", name, row, keys, facts, IN_SKILL)


def single_heads(effects: pl.DataFrame) -> Iterator[Evidence]:
    """Yield what it costs to remove each head alone, in units of skill, over seeds."""
    for row in _over_seeds(effects, "single_head"):
        of = f"single_head.{row['model']}"
        facts = {"of": of} | _some(row, "p", "p_bh", "p_by")
        keys = ("level", "model", "name", "layer", "head", "metric")
        name = f"{of}.l{row['layer']}h{row['head']}"
        yield _evidence("effects.csv", name, row, keys, facts, IN_SKILL)


def layer_content(effects: pl.DataFrame) -> Iterator[Evidence]:
    """Yield what E3 costs in each layer alone, in the unit of the loss, over seeds."""
    alone = (pl.col("name") == "position_mean") & pl.col("layer").is_not_null()
    found = effects.filter(alone, metric="loss", level="model").sort("model", "layer")
    for row in found.iter_rows(named=True):
        of = f"layer_content.{row['model']}"
        keys = ("level", "model", "name", "layer", "metric")
        name, facts = f"{of}.l{row['layer']}", {"of": of}
        yield _evidence("effects.csv", name, row, keys, facts, "of loss")


def gains(comparisons: pl.DataFrame) -> Iterator[Evidence]:
    """Yield skills, gains over baselines, and the losses of seeds."""
    level, metric = pl.col("level"), pl.col("metric")
    wanted = comparisons.filter(
        ((level == "skill") & (metric == "skill"))
        | ((level == "gain") & metric.is_in(["skill_units", "loss"]))
        | ((level == "seed") & (metric == "loss"))
    )
    units = {"skill": "share of the trivial loss", "skill_units": IN_SKILL}
    for row in wanted.iter_rows(named=True):
        model, kind = row["model"], row["metric"]
        names = {
            "skill": f"skill.{model}",
            "gain": f"gain.{model}.{kind}",
            "seed": f"score.{model}.{row['seed']}.{kind}",
        }
        facts = _some(row, *OF_GAINS) if row["level"] == "gain" else {}
        keys = ("level", "model", "baseline", "metric", "seed", "unit")
        unit = units.get(kind, "of loss")
        yield _evidence("comparisons.csv", names[row["level"]], row, keys, facts, unit)
