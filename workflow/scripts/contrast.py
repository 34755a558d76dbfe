"""Compare the forecasts of all models with each other."""

from attnpipe.aggregation.contrast import contrast, in_order
from attnpipe.io.many_tables import read_each
from attnpipe.io.parquet import write_table
from attnpipe.pipeline.job import job
from attnpipe.schema.analysis import ContrastSpec
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.study import COMPARISONS

with job(snakemake) as ctx:
    frames = read_each(ctx.read.all("evaluations"), EVALUATION)
    evaluations = {(m, s): f for (m, s), f in zip(ctx.spec["runs"], frames, strict=True)}
    baselines = in_order(ctx.spec["baselines"], (model for model, _ in ctx.spec["runs"]))
    options = ContrastSpec.model_validate(ctx.spec["contrast"])
    table = contrast(evaluations, baselines, options)
    for path in ctx.write:
        write_table(path, table, COMPARISONS)
