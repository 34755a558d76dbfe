"""Estimate what attention is good for, from interventions and retrained arms."""

from attnpipe.aggregation.effects import effects
from attnpipe.io.parquet import read_table, write_table
from attnpipe.pipeline.job import job
from attnpipe.tables.effects import EFFECTS
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.interventions import INTERVENTIONS

with job(snakemake) as ctx:
    evaluations = [read_table(path, EVALUATION) for path in ctx.read.all("evaluations")]
    replaced = [read_table(path, INTERVENTIONS) for path in ctx.read.all("interventions")]
    table = effects(
        {(m, s): f for (m, s), f in zip(ctx.spec["runs"], evaluations, strict=True)},
        {(m, s): f for (m, s), f in zip(ctx.spec["intervened"], replaced, strict=True)},
        ctx.spec["arms"],
        ctx.spec["delta"],
    )
    for path in ctx.write:
        write_table(path, table, EFFECTS)
