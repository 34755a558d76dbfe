"""Document 3's results file, from the tables."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from attnpipe.aggregation.text.names import PRETRAINED, STEPS
from attnpipe.core.errors import UserError

LISTED = 5
"""Heads that document 3 lists at either end."""

Record = dict[str, Any]


def document3_export(tables: Mapping[str, pl.DataFrame], model: str) -> Record:
    """Return the keys of document 3's JSON, each published number beside its per-row twin.

    Document 3 takes the entropy of a layer's *mean row over heads* (plus 1e-10): heads
    that look at different tokens look distributed. Its twin ``layer_entropies_per_row`` is
    the mean over heads of each row's own entropy, ``…_normalized`` that over ln n, which
    compares prompts of different length. Heads it ranks by raw entropy, which is a row's own,
    and names ``focus_token`` after a single prompt; here both are over all questions.

    Parameters
    ----------
    tables
        `tables.TEXT_TABLES` by name, of the study or of the model.
    model
        Which model.

    Returns
    -------
    dict
        Ready for JSON. Heads are those of variant ``cot``, or else of the first. Of a run that
        did not end well ``outcome`` and ``reason`` alone.

    Raises
    ------
    UserError
        If the tables hold no pretrained run of the model.
    """
    own = {
        name: tables[name].filter((pl.col("model") == model) & (pl.col("checkpoint") == PRETRAINED))
        for name in ("text_summary", "heads")
    }
    own["heads"] = own["heads"].filter(pl.col("condition").is_null())
    variants = own["heads"]["variant"].unique(maintain_order=True).to_list()
    if not variants:
        for run in tables["inventory"].filter(pl.col("model") == model).to_dicts():
            if run["outcome"] != "ok":
                return {key: run[key] for key in ("outcome", "reason")}
        raise UserError(
            f"the tables have no pretrained run of model '{model}': run aggregate_text for it"
        )
    chosen = STEPS if STEPS in variants else variants[0]
    ranked = own["heads"].filter(pl.col("variant") == chosen).sort("published_rank")
    return {
        "layer_entropies": _layers(own["text_summary"], variants, "published_layer_entropy"),
        "layer_entropies_per_row": _layers(own["text_summary"], variants, "entropy"),
        "layer_entropies_per_row_normalized": _layers(
            own["text_summary"], variants, "entropy_normalized"
        ),
        "head_specialization_summary": {
            "most_focused": [_head(row) for row in ranked.head(LISTED).iter_rows(named=True)],
            "most_distributed": [
                _head(row, focus=False)
                for row in ranked.reverse().head(LISTED).iter_rows(named=True)
            ],
        },
        "head_specialization_variant": chosen,
    }


def _layers(
    summary: pl.DataFrame, variants: list[str], metric: str
) -> dict[str, list[float | None]]:
    """Return variant → mean over questions of each layer's last row."""
    rows = summary.filter(
        (pl.col("metric") == metric)
        & (pl.col("rows") == "last")
        & pl.col("condition").is_null()
        & pl.col("layer").is_not_null()
        & pl.col("head").is_null()
    ).sort("layer")
    return {
        variant: rows.filter(pl.col("variant") == variant)["mean"].to_list() for variant in variants
    }


def _head(row: Record, *, focus: bool = True) -> Record:
    """Return one head, document 3's keys first."""
    published = {"layer": row["layer"], "head": row["head"], "entropy": row["entropy"]}
    if focus:
        published["focus_token"] = row["focus_token"]
    return published | {
        "entropy_lo95_per_row": row["entropy_lo95"],
        "entropy_hi95_per_row": row["entropy_hi95"],
        "entropy_normalized_per_row": row["entropy_normalized"],
        "focused_rank_per_row": row["focused_rank"],
        "focus_share": row["focus_share"],
        "questions": row["n"],
    }
