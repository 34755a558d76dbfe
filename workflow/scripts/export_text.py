"""Write one model's results under document 3's keys."""

from attnpipe.aggregation.text.document3 import document3_export
from attnpipe.io.json import write_json
from attnpipe.io.parquet import read_tables
from attnpipe.pipeline.job import job
from attnpipe.tables.text import TEXT_TABLES

with job(snakemake) as ctx:
    tables = read_tables(ctx.read.named, TEXT_TABLES)
    write_json(ctx.write.export, document3_export(tables, ctx.spec["model"]))
