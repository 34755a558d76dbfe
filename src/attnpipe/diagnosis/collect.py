"""Rows of the study's tables as named evidence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from attnpipe.diagnosis.book import Book
from attnpipe.diagnosis.compression import compressed
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
}
"""Metric → unit; besides, `recent_mass_k` for each k."""
FINETUNED: Mapping[str, str] = {"uniform_finetuned": "F2", "position_mean_finetuned": "F3"}
"""Effect that is left after training under the intervention → its code in ids."""
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
            *_comparisons(tables["comparisons"]),
            *causal(tables["effects"]),
            *_finetuned(tables["effects"]),
            *_single_heads(tables["effects"]),
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
        "parameters",
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
    recent = metrics["metric"].unique().str.extract(r"^(recent_mass_\d+)$").drop_nulls()
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


def causal(effects: pl.DataFrame) -> Iterator[Evidence]:
    """Yield what gates ask for: effects in units of skill, over seeds and of single seeds."""
    metric, level = pl.col("metric"), pl.col("level")
    coded = effects.filter(pl.col("code").is_not_null() & (metric == "skill_units"))
    logs = effects.filter(
        (metric == "log_ratio") & (level == "model") & pl.col("code").is_not_null()
    )
    log_of = {(r["model"], r["code"]): r for r in logs.iter_rows(named=True)}
    facts = (
        "lo90", "hi90", "margin", "hedges_g", "p", "p_holm", "p_claim", "p_claim_holm",
        "p_sign_flip", "p_smallest", "seeds_needed", "copies", "against",
    )  # fmt: skip
    for row in coded.iter_rows(named=True):
        of_seed = row["level"] == "seed"
        kind, end = ("causal_seed", f".{row['seed']}") if of_seed else ("causal", "")
        log = log_of.get((row["model"], row["code"]), {})
        ratio = {f"log_ratio_{k}": log.get(k) for k in ("value", "lo95", "hi95")}
        yield Evidence(
            id=f"{kind}.{row['model']}.{row['code']}{end}",
            table="effects.csv",
            row={k: row[k] for k in ("level", "model", "code", "metric", "seed")},
            estimate=row["value"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n_seeds"],
            n_units=row["n_units"],
            unit="of the model's skill",
            facts={} if of_seed else {f: row[f] for f in facts} | ratio,
        )


def _finetuned(effects: pl.DataFrame) -> Iterator[Evidence]:
    """Yield what is left of the cost of E2 and E3 after a short training under them."""
    wanted = effects.filter(
        pl.col("name").is_in(list(FINETUNED))
        & (pl.col("metric") == "skill_units")
        & (pl.col("level") == "model")
    )
    for row in wanted.iter_rows(named=True):
        yield Evidence(
            id=f"causal.{row['model']}.{FINETUNED[row['name']]}",
            table="effects.csv",
            row={k: row[k] for k in ("level", "model", "name", "metric")},
            estimate=row["value"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n_seeds"],
            n_units=row["n_units"],
            unit="of the model's skill",
            facts={fact: row[fact] for fact in ("margin", "p", "seeds_needed")},
        )


def _single_heads(effects: pl.DataFrame) -> Iterator[Evidence]:
    """Yield what it costs to remove each head alone, in units of skill, over seeds."""
    wanted = effects.filter(
        (pl.col("name") == "single_head")
        & (pl.col("metric") == "skill_units")
        & (pl.col("level") == "model")
    )
    for row in wanted.sort("model", "layer", "head").iter_rows(named=True):
        of = f"single_head.{row['model']}"
        yield Evidence(
            id=f"{of}.l{row['layer']}h{row['head']}",
            table="effects.csv",
            row={k: row[k] for k in ("level", "model", "name", "layer", "head", "metric")},
            estimate=row["value"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n_seeds"],
            n_units=row["n_units"],
            unit="of the model's skill",
            facts={"of": of} | {k: row[k] for k in ("p", "p_bh", "p_by")},
        )


def _comparisons(comparisons: pl.DataFrame) -> Iterator[Evidence]:
    level, metric = pl.col("level"), pl.col("metric")
    wanted = comparisons.filter(
        ((level == "skill") & (metric == "skill"))
        | ((level == "gain") & metric.is_in(["skill_units", "loss"]))
        | ((level == "seed") & (metric == "loss"))
    )
    facts = ("lo90", "hi90", "margin", "equivalence", "hedges_g", "p_sign_flip", "p_smallest")
    units = {"skill": "share of the trivial loss", "skill_units": "of the model's skill"}
    for row in wanted.iter_rows(named=True):
        model, kind = row["model"], row["metric"]
        names = {
            "skill": f"skill.{model}",
            "gain": f"gain.{model}.{kind}",
            "seed": f"score.{model}.{row['seed']}.{kind}",
        }
        yield Evidence(
            id=names[row["level"]],
            table="comparisons.csv",
            row={k: row[k] for k in ("level", "model", "baseline", "metric", "seed", "unit")},
            estimate=row["value"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n_seeds"],
            n_units=row["n_units"],
            unit=units.get(kind, "of loss"),
            facts={f: row[f] for f in facts} if row["level"] == "gain" else {},
        )
