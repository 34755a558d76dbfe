"""Fold all texts of one model together."""

import polars as pl

from attnpipe.aggregation.text.model import aggregate_text
from attnpipe.aggregation.text.run import TextRun
from attnpipe.io.many_tables import read_each
from attnpipe.io.outcome import read_outcome
from attnpipe.io.parquet import read_table, scan_table, write_table
from attnpipe.io.weights import open_text_weights
from attnpipe.pipeline.job import job
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.tables.text import (
    ANSWERS,
    SEGMENTS,
    SPANS,
    TEXT_INTERVENTIONS,
    TEXT_METRICS,
    TEXT_TABLES,
    TEXTS,
    TOKENS,
)

with job(snakemake) as ctx:
    metrics = [scan_table(path, TEXT_METRICS) for path in (ctx.read.streamed, ctx.read.metrics)]
    replaced = read_each(ctx.read.all("interventions"), TEXT_INTERVENTIONS)
    with open_text_weights(ctx.read.attention) as weights:
        run = TextRun(
            tokens=read_table(ctx.read.tokens, TOKENS),
            answers=read_table(ctx.read.answers, ANSWERS),
            metrics=pl.concat(metrics),
            segments=scan_table(ctx.read.segments, SEGMENTS),
            row_segments=scan_table(ctx.read.row_segments, SEGMENTS),
            attention=weights,
            replaced=pl.concat(replaced) if replaced else None,
        )
        outcome = read_outcome(ctx.read.outcome)
        tables = aggregate_text(
            ctx.spec["model"],
            run if outcome.outcome == "ok" else None,
            read_table(ctx.read.texts, TEXTS),
            read_table(ctx.read.spans, SPANS),
            TextSpec.model_validate(ctx.spec["text"]),
            MetricsSpec.model_validate(ctx.spec["metrics"]),
            outcome,
        )
    for path in ctx.write:
        write_table(path, getattr(tables, path.stem), TEXT_TABLES[path.stem])
