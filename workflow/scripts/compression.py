"""Which part of the input would do."""

from attnpipe.aggregation.compression import compression
from attnpipe.io.many_tables import read_each
from attnpipe.io.parquet import write_table
from attnpipe.pipeline.job import job
from attnpipe.tables.compression import COMPRESSION, COMPRESSION_LOSSES

with job(snakemake) as ctx:
    losses = read_each(ctx.read.all("losses"), COMPRESSION_LOSSES)
    table = compression(losses, ctx.spec["delta"])
    for path in ctx.write:
        write_table(path, table, COMPRESSION)
