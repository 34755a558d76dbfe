"""Measure all metrics of one run."""

from attnpipe.io.parquet import write_table
from attnpipe.io.record import read_probe, read_records
from attnpipe.measurement.run import measure
from attnpipe.pipeline.job import job
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.metrics import METRICS

with job(snakemake) as ctx:
    options = MetricsSpec.model_validate(ctx.spec["metrics"])
    records, probe = read_records(ctx.read.attention), read_probe(ctx.read.probe)
    run = {"model": ctx.spec["model"], "seed": ctx.spec["seed"]}
    write_table(ctx.write.metrics, measure(records, probe, options, **run), METRICS)
