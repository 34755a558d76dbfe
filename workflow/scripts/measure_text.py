"""Measure what the last token of every text attends to."""

from attnpipe.io.parquet import read_table, scan_table, write_table
from attnpipe.io.weights import open_text_weights
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.measurement.text.run import measure_texts
from attnpipe.pipeline.job import job
from attnpipe.tables.text import SEGMENTS, SPANS, TEXT_METRICS, TEXTS
from attnpipe.text.reading import model_texts
from attnpipe.text.tokens import load_tokenizer

with job(snakemake) as ctx:
    ctx.verify("tokenizer")
    model = ctx.spec["model"]
    tables = read_table(ctx.read.texts, TEXTS), read_table(ctx.read.spans, SPANS)
    texts = model_texts(model, *tables, load_tokenizer(ctx.read.tokenizer.parent))
    found_sinks = FoundSinks.of(scan_table(ctx.read.streamed, TEXT_METRICS))
    with open_text_weights(ctx.read.attention) as weights:
        found = measure_texts(weights, model, texts, ctx.spec["text"]["sinks"], found_sinks)
    write_table(ctx.write.metrics, found.metrics, TEXT_METRICS)
    write_table(ctx.write.segments, found.segments, SEGMENTS)
