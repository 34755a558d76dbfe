"""Turn tables into findings with their evidence."""

from attnpipe.diagnosis.run import diagnose, diagnosis_context
from attnpipe.io.json import read_json, write_json
from attnpipe.io.parquet import read_tables
from attnpipe.pipeline.job import job
from attnpipe.tables.registry import TABLES

with job(snakemake) as ctx:
    failures = ctx.failures_of("attempted")
    context = diagnosis_context(ctx.spec, read_json(ctx.read.description), failures)
    diagnosis = diagnose(read_tables(ctx.read.named, TABLES), context)
    write_json(ctx.write.diagnosis, diagnosis.model_dump(mode="json"))
