"""Rows of the study's tables as named evidence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from attnpipe.diagnosis.book import Book
from attnpipe.diagnosis.compression import compressed
from attnpipe.diagnosis.gains import causal, finetuned, gains, layer_content, single_heads
from attnpipe.diagnosis.schema import Evidence

Tables = Mapping[str, pl.DataFrame]
Row = dict[str, Any]

MIXED = "final"
"""Checkpoint of summaries over seeds whose final checkpoints differ."""
FIRST = "profile"
"""Of it, the mean weight on the first key is evidence: a sink stands there."""
METRICS: Mapping[str, str] = {
    "entropy_normalized": "of ln n",
    "effective_keys_n1": "keys",
    "kl_uniform": "nats",
    "content_share": "share",
    "lag_mean": "steps",
    "null_share": "share",
    FIRST: "of the weight",
    "profile_entropy_normalized": "of ln T",
    "profile_kl_uniform": "nats",
    "profile_peak": "key",
    "peak_resolved_share": "of the rows",
    "peak_lag_mode": "steps",
}
"""Metric → unit; besides, `recent_mass_k` and `profile_recent_mass_k` for each k."""
SHUFFLED = "shuffled_inputs"
"""Condition of the final weights on inputs in random order."""
OF_SHUFFLED = ("kl_uniform", "lag_mean")
TOKEN_SCORES = ("previous_token", "induction")
MEASURES = ("profile_cosine", "profile_pearson", "centred_cosine", "position_cosine")
NULL = ("null_mean", "null_hi95", "p", "above_null")
"""What a likeness is by chance."""


def collect(tables: Tables) -> Book:
    """Return the evidence that predicates may ask for."""
    finals = _final_checkpoints(tables["inventory"])
    return Book(
        [
            *runs(tables["inventory"]),
            *_metrics(tables["metrics"], finals, _without_seeds(tables["inventory"])),
            *_token_scores(tables["metrics"], finals),
            *_similarity(tables["similarity"], finals),
            *_matched(tables["similarity"], finals),
            *_convergence(tables["convergence"]),
            *gains(tables["comparisons"]),
            *causal(tables["effects"]),
            *finetuned(tables["effects"]),
            *single_heads(tables["effects"]),
            *layer_content(tables["effects"]),
            *compressed(tables["compression"]),
        ]
    )


def _final_checkpoints(inventory: pl.DataFrame) -> dict[str, str]:
    ended_well = (pl.col("outcome") == "ok") & pl.col("final").is_not_null()
    counts = ended_well & pl.col("identical_to").is_null()
    kinds = inventory.filter(counts).group_by("model").agg(pl.col("final").unique())
    return {m: c[0] if len(c) == 1 else MIXED for m, c in kinds.iter_rows()}


def runs(inventory: pl.DataFrame) -> Iterator[Evidence]:
    """Yield the record of every run."""
    facts = (
        "outcome", "reason", "final", "rows_valid", "rows_excluded", "identical_to", "has_seeds",
        "parameters", "last_epoch", "best_epoch", "loss_regained",
    )  # fmt: skip
    for row in inventory.iter_rows(named=True):
        yield Evidence(
            id=f"run.{row['model']}.{row['seed']}",
            table="inventory.csv",
            row={"model": row["model"], "seed": row["seed"]},
            facts={name: row[name] for name in facts},
        )


def _heads(frame: pl.DataFrame, keys: Sequence[str]) -> Iterator[tuple[Row, str]]:
    """Yield rows with the part of the id that tells layers and heads apart, if there are any."""
    several = {
        key
        for key, n in frame.group_by(pl.struct(keys).alias("key")).len().iter_rows()
        if n > 1
        for key in [tuple(key.values())]
    }
    for row in frame.sort(*keys, "layer", "head", nulls_last=True).iter_rows(named=True):
        many = tuple(row[k] for k in keys) in several
        yield row, f".l{row['layer']}h{row['head']}" if many else ""


def _without_seeds(inventory: pl.DataFrame) -> set[str]:
    """Return the models whose weights come without a seed axis."""
    return set(inventory.filter(~pl.col("has_seeds"))["model"])


def _metrics(
    metrics: pl.DataFrame, finals: Mapping[str, str], without_seeds: set[str]
) -> Iterator[Evidence]:
    recent = (
        metrics["metric"].unique().str.extract(r"^((?:profile_)?recent_mass_\d+)$").drop_nulls()
    )
    units = dict(METRICS) | dict.fromkeys(sorted(recent), "share")
    keys = ["model", "checkpoint", "condition", "target", "metric"]
    wanted = metrics.filter(
        (pl.col("target").is_null() | ((pl.col("metric") == FIRST) & (pl.col("target") == 0)))
        & (
            (pl.col("metric").is_in(list(units)) & _plain_or_unknowable())
            | ((pl.col("metric") == "rows_excluded") & (pl.col("condition") == "off_support"))
            | (pl.col("metric").is_in(OF_SHUFFLED) & (pl.col("condition") == SHUFFLED))
        )
    ).filter(_at(finals))
    for row, head in _heads(wanted, keys):
        kind = "untrained." if row["checkpoint"] == "untrained" else ""
        kind = f"{SHUFFLED}." if row["condition"] == SHUFFLED else kind
        of = f"metric.{row['model']}.{kind}{row['metric']}"
        yield Evidence(
            id=of + head,
            table="metrics.csv",
            row={k: row[k] for k in ("model", "checkpoint", "layer", "head", *keys[2:])},
            estimate=row["mean"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=None if row["model"] in without_seeds else row["n"],
            unit=units.get(str(row["metric"]), "rows"),
            facts={"of": of, "condition": row["condition"], "as_published": row["as_published"]},
        )


def _token_scores(metrics: pl.DataFrame, finals: Mapping[str, str]) -> Iterator[Evidence]:
    """Yield the scores of each layer's best head, where models read tokens."""
    of_layer = pl.col("metric").is_in([f"{name}_best_head" for name in TOKEN_SCORES])
    for row in metrics.filter(of_layer).filter(_at(finals)).iter_rows(named=True):
        before = "untrained." if row["checkpoint"] == "untrained" else ""
        score = str(row["metric"]).removesuffix("_best_head")
        yield Evidence(
            id=f"tokens.{row['model']}.{before}{score}.l{row['layer']}",
            table="metrics.csv",
            row={k: row[k] for k in ("model", "checkpoint", "layer", "metric")},
            estimate=row["mean"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n"],
            unit="of a row's weight",
            facts={"of": f"tokens.{row['model']}.{before}{score}"},
        )


def _plain_or_unknowable() -> pl.Expr:
    return pl.col("condition").is_null() | (pl.col("condition") == "unknowable")


def _at(finals: Mapping[str, str]) -> pl.Expr:
    """Rows of the untrained model and of each model's final weights."""
    final = pl.col("model").replace_strict(dict(finals), default=None, return_dtype=pl.String)
    return (pl.col("checkpoint") == "untrained") | (pl.col("checkpoint") == final)


def _similarity(similarity: pl.DataFrame, finals: Mapping[str, str]) -> Iterator[Evidence]:
    keys = ["model", "checkpoint", "level", "measure"]
    wanted = similarity.filter(
        (pl.col("level") == "model") & pl.col("measure").is_in(MEASURES)
    ).filter(_at(finals))
    for row, head in _heads(wanted, keys):
        before = "untrained." if row["checkpoint"] == "untrained" else ""
        of = f"similarity.{row['model']}.{before}{row['measure']}"
        yield Evidence(
            id=of + head,
            table="similarity.csv",
            row={k: row[k] for k in ("model", "checkpoint", "layer", "head", "level", "measure")},
            estimate=row["value"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n"],
            unit="cosine",
            facts={"of": of, "as_published": row["as_published"], **{k: row[k] for k in NULL}},
        )


def _matched(similarity: pl.DataFrame, finals: Mapping[str, str]) -> Iterator[Evidence]:
    """Yield the likeness of matched heads, layer by layer, where a layer has several."""
    several = similarity.filter((pl.col("level") == "model") & (pl.col("head") > 0))["model"]
    wanted = similarity.filter(
        (pl.col("level") == "layer")
        & (pl.col("measure") == "matched_cosine")
        & pl.col("model").is_in(several.unique().to_list())
    ).filter(_at(finals))
    for row in wanted.sort("model", "checkpoint", "layer").iter_rows(named=True):
        before = "untrained." if row["checkpoint"] == "untrained" else ""
        of = f"matched.{row['model']}.{before}centred_cosine"
        yield Evidence(
            id=f"{of}.l{row['layer']}",
            table="similarity.csv",
            row={k: row[k] for k in ("model", "checkpoint", "layer", "level", "measure")},
            estimate=row["value"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n"],
            unit="cosine",
            facts={"of": of, **{k: row[k] for k in NULL}},
        )


def _convergence(convergence: pl.DataFrame) -> Iterator[Evidence]:
    keys = ["model", "seed"]
    last = convergence.filter(
        pl.col("epoch") == pl.col("epoch").max().over("model", "seed", "layer", "head")
    )
    for row, head in _heads(last, keys):
        of = f"convergence.{row['model']}.{row['seed']}"
        yield Evidence(
            id=of + head,
            table="convergence.csv",
            row={k: row[k] for k in ("model", "seed", "checkpoint", "layer", "head")},
            estimate=row["convergence_epoch"],
            unit="epochs",
            facts={
                "of": of, "epoch": row["epoch"], "censored": row["censored"],
                "threshold": row["threshold"],
            },
        )  # fmt: skip
