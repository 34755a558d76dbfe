"""Measure all metrics of one run."""

from attnpipe.io.outcome import read_outcome
from attnpipe.io.parquet import write_table
from attnpipe.io.record import read_probe, read_records
from attnpipe.measurement.run import measure
from attnpipe.pipeline.job import job
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.metrics import METRICS

with job(snakemake) as ctx:
    options = MetricsSpec.model_validate(ctx.spec["metrics"])
    ended_well = read_outcome(ctx.read.outcome).outcome == "ok"
    records = read_records(ctx.read.attention) if ended_well else []
    run = {"model": ctx.spec["model"], "seed": ctx.spec["seed"]}
    table = measure(records, read_probe(ctx.read.probe), options, **run)
    write_table(ctx.write.metrics, table, METRICS)
