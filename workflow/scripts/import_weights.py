"""Import the attention weights of one run that other software saved."""

from attnpipe.io.outcome import write_outcome
from attnpipe.io.record import write_probe, write_records
from attnpipe.pipeline.job import job
from attnpipe.saved_weights.run import import_run
from attnpipe.schema.data import SavedWeightsData

with job(snakemake) as ctx:
    data = SavedWeightsData.model_validate(ctx.spec["data"])
    shape = ctx.spec["shape"] and tuple(ctx.spec["shape"])
    run = import_run(data, ctx.spec["model"], ctx.spec["seed"], shape)
    write_records(ctx.write.attention, run.records)
    write_probe(ctx.write.probe, run.probe)
    write_outcome(ctx.write.outcome, run.outcome)
