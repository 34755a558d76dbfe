"""Estimate what attention is good for, from interventions and retrained arms."""

from attnpipe.aggregation.effects import effects
from attnpipe.io.many_tables import read_each
from attnpipe.io.parquet import write_table
from attnpipe.pipeline.job import job
from attnpipe.tables.effects import EFFECTS
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.interventions import INTERVENTIONS
from attnpipe.tables.study import SIMILARITY

with job(snakemake) as ctx:
    evaluations = read_each(ctx.read.all("evaluations"), EVALUATION)
    replaced = read_each(ctx.read.all("interventions"), INTERVENTIONS)
    alike = read_each(ctx.read.all("similarity"), SIMILARITY)
    table = effects(
        {(m, s): f for (m, s), f in zip(ctx.spec["runs"], evaluations, strict=True)},
        {(m, s): f for (m, s), f in zip(ctx.spec["intervened"], replaced, strict=True)},
        ctx.spec["arms"],
        ctx.spec["delta"],
        dict(zip(ctx.spec["matched"], alike, strict=True)),
    )
    for path in ctx.write:
        write_table(path, table, EFFECTS)
