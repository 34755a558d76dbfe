"""Put the tables of all models together."""

from attnpipe.aggregation.study import combine
from attnpipe.io.many_tables import read_each
from attnpipe.io.parquet import write_table
from attnpipe.pipeline.job import job
from attnpipe.tables.text import TEXT_TABLES

with job(snakemake) as ctx:
    for name, paths in ctx.read.named.items():
        table = TEXT_TABLES[name]
        frame = combine(read_each(paths, table))
        for kind in ("parquet", "csv"):
            write_table(getattr(ctx.write, f"{name}_{kind}"), frame, table)
