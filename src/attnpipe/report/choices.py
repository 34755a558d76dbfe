"""Which rows and columns of each table a reader wants to see: models and saved weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Choice:
    """What is said of a table, and what is shown of it."""

    text: str
    rows: Callable[[pl.DataFrame, Mapping[str, pl.DataFrame]], pl.DataFrame]
    columns: Sequence[str]


def _final(frame: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of each model's final weights; ``final`` stands for a mixture."""
    inventory = tables.get("inventory", pl.DataFrame({"model": [], "final": []}))
    finals = inventory.select("model", checkpoint="final").unique().cast(pl.String)
    mixed = finals.select("model", checkpoint=pl.lit("final")).unique()
    known = pl.concat([finals, mixed]).unique()
    return frame.join(known, on=["model", "checkpoint"], how="semi", maintain_order="left")


def _effects(frame: pl.DataFrame, _: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of whole models, then of their layers; those of heads are many."""
    whole = frame.filter(
        (pl.col("level") == "model") & pl.col("head").is_null() & pl.col("removed").is_null()
    )
    layer = pl.col("layer")
    of_models = whole.filter(layer.is_null() & (pl.col("metric") != "loss"))
    of_layers = whole.filter(layer.is_not_null() & (pl.col("metric") == "skill_units"))
    return pl.concat([of_models, of_layers])


CHOICES: dict[str, Choice] = {
    "inventory": Choice(
        "Every run and what there is of it. A model with a number behind its name, as "
        "uniform-324d7ed3, is an arm: one trained anew without attention, or with other weights, "
        "and named by what it computes; `against` of table effects names it.",
        lambda frame, _: frame,
        ["model", "seed", "outcome", "reason", "parameters", "checkpoints", "final", "rows_valid",
         "rows_excluded", "identical_to"],
    ),
    "comparisons": Choice(
        "Scores over seeds, skill over the best trivial forecast, and gain over the baseline; "
        "single seeds and test units are in the file.",
        lambda frame, _: frame.filter(pl.col("level").is_in(["gain", "skill", "model"])),
        ["level", "model", "baseline", "metric", "value", "lo95", "hi95", "n_seeds", "n_units",
         "hedges_g", "p_sign_flip", "p_smallest", "margin", "equivalence"],
    ),
    "effects": Choice(
        "What models lose when their attention is replaced, or was trained in another way, over "
        "seeds, in units of skill and as log-ratios of the loss; single layers in units of skill, "
        "their p adjusted over the layers of the model. Differences of the loss, single heads and "
        "single seeds are in the file.",
        _effects,
        ["model", "code", "name", "against", "layer", "metric", "value", "lo95", "hi95", "lo90",
         "hi90", "n_seeds", "n_units", "hedges_g", "p", "p_holm", "p_bh", "p_by", "p_sign_flip",
         "p_smallest", "margin", "seeds_needed"],
    ),
    "metrics": Choice(
        "Metrics of the final weights over seeds, without those per key position; other "
        "checkpoints are in the file.",
        lambda frame, tables: _final(
            frame.filter(pl.col("target").is_null() & pl.col("condition").is_null()), tables
        ),
        ["model", "checkpoint", "layer", "head", "metric", "n", "mean", "sd", "min", "max", "lo95",
         "hi95", "as_published"],
    ),
    "similarity": Choice(
        "Likeness between seeds, before training and of the final weights; single pairs and key "
        "positions are in the file.",
        lambda frame, _: frame.filter(pl.col("level") == "model"),
        ["model", "checkpoint", "layer", "head", "measure", "value", "n", "sd", "min", "lo95",
         "hi95", "as_published"],
    ),
    "convergence": Choice(
        "When the attention of each run settled; its way there is in the file.",
        lambda frame, _: frame.filter(
            pl.col("epoch") == pl.col("epoch").max().over("model", "seed", "layer", "head")
        ),
        ["model", "seed", "layer", "head", "epoch", "entropy_normalized", "threshold",
         "convergence_epoch", "censored"],
    ),
    "history": Choice(
        "The last epoch of each run.",
        lambda frame, _: frame.filter(
            pl.col("epoch") == pl.col("epoch").max().over("model", "seed")
        ),
        ["model", "seed", "epoch", "windows_seen", "train_loss", "validation_loss",
         "learning_rate"],
    ),
}  # fmt: skip
