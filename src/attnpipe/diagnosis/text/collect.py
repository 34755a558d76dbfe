"""Rows of the tables of a study of texts as named evidence.

Tables of texts are large: one row per layer, head and prompt. Evidence is what predicates may
cite: numbers over all layers and heads, single layers where layers are asked about, and of the
heads those that stand out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from attnpipe.aggregation.text.names import PRETRAINED
from attnpipe.diagnosis.book import Book
from attnpipe.diagnosis.collect import Tables, runs
from attnpipe.diagnosis.compression import compressed
from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.text.contrasts import contrasts
from attnpipe.diagnosis.text.effects import effects
from attnpipe.diagnosis.text.heads import heads, scores
from attnpipe.diagnosis.text.keywords import keywords
from attnpipe.diagnosis.text.long import over_limit
from attnpipe.diagnosis.text.names import before, key
from attnpipe.diagnosis.text.sinks import found_sinks

METRICS = {
    "entropy_normalized": "of ln n",
    "sink_mass": "of the weight",
}
"""Metric → unit, over all layers and heads."""
LAST_LAYER = ("entropy", "published_layer_entropy")
"""Metrics of the last layer's last row: measured per head, and by document 3's rule."""

READINGS = ("correct", "wrong", "none", "unfinished", "empty")
"""Columns of `accuracy` that count questions."""


def collect(tables: Tables) -> Book:
    """Return the evidence that predicates may ask for."""
    summary = tables["text_summary"].filter(pl.col("target").is_null() & pl.col("head").is_null())
    return Book(
        [
            *runs(tables["inventory"]),
            *_rows(summary),
            *_metrics(summary),
            *_last_layer(summary),
            *_accuracy(tables["accuracy"]),
            *contrasts(tables["text_contrasts"]),
            *effects(tables["text_effects"]),
            *compressed(tables["compression"]),
            *scores(tables["text_summary"]),
            *heads(tables["heads"]),
            *found_sinks(tables["sinks"]),
            *over_limit(tables["answers"]),
            *keywords(tables["segment_summary"]),
        ]
    )


def _evidence(row: Mapping[str, Any], identity: str, columns: Sequence[str], unit: str) -> Evidence:
    return Evidence(
        id=identity,
        table="text_summary.csv",
        row={column: row[column] for column in columns},
        estimate=row["mean"],
        lo95=row["lo95"],
        hi95=row["hi95"],
        n_units=row["n"],
        unit=unit,
    )


WHERE = ("model", "checkpoint", "variant", "layer", "head", "condition", "rows", "target", "metric")


def _rows(summary: pl.DataFrame) -> Iterator[Evidence]:
    """Yield how many rows of a text are excluded, and for which reason."""
    wanted = summary.filter(
        (pl.col("metric") == "rows_excluded")
        & pl.col("layer").is_null()
        & (pl.col("checkpoint") == PRETRAINED)
    )
    for row in wanted.iter_rows(named=True):
        name = key("rows", row["model"], row["variant"], row["condition"])
        yield _evidence(row, name, WHERE, "rows per text and head")


def _metrics(summary: pl.DataFrame) -> Iterator[Evidence]:
    wanted = summary.filter(pl.col("metric").is_in(list(METRICS)) & pl.col("layer").is_null())
    for row in wanted.iter_rows(named=True):
        at = key(before("metric", row), row["variant"], row["rows"], row["metric"])
        off = f".{row['condition']}" if row["condition"] else ""
        yield _evidence(row, at + off, WHERE, METRICS[row["metric"]])


def _last_layer(summary: pl.DataFrame) -> Iterator[Evidence]:
    wanted = summary.filter(
        pl.col("metric").is_in(LAST_LAYER)
        & (pl.col("rows") == "last")
        & (pl.col("checkpoint") == PRETRAINED)
        & pl.col("condition").is_null()
        & (pl.col("layer") == pl.col("layer").max().over("model"))
    )
    for row in wanted.iter_rows(named=True):
        name = key("last_layer", row["model"], row["variant"], row["metric"])
        yield _evidence(row, name, WHERE, "nats")


def _accuracy(accuracy: pl.DataFrame) -> Iterator[Evidence]:
    for row in accuracy.iter_rows(named=True):
        yield Evidence(
            id=key("accuracy", row["model"], row["variant"]),
            table="accuracy.csv",
            row={"model": row["model"], "variant": row["variant"]},
            estimate=row["accuracy"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_units=row["n"],
            unit="share of right answers",
            facts={name: row[name] for name in (*READINGS, "answer_loss")},
        )
