"""Fold the runs of one model together."""

from attnpipe.aggregation.model import aggregate_model
from attnpipe.aggregation.reading import read_runs
from attnpipe.io.parquet import write_table
from attnpipe.pipeline.job import job
from attnpipe.tables.study import STUDY_TABLES

with job(snakemake) as ctx:
    runs = read_runs(ctx.spec["seeds"], ctx.read.named)
    tables = aggregate_model(ctx.spec["model"], runs)
    for path in ctx.write:
        write_table(path, getattr(tables, path.stem), STUDY_TABLES[path.stem])
