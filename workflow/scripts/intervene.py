"""Replace a run's attention in every way asked for, and score the whole test split."""

from functools import partial

from attnpipe.core.progress import Line
from attnpipe.data.storage import from_tensors
from attnpipe.interventions.run import intervene
from attnpipe.io.checkpoints import read_checkpoints
from attnpipe.io.outcome import read_outcome
from attnpipe.io.parquet import write_table
from attnpipe.io.tensors import read_tensors
from attnpipe.pipeline.job import job
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.schema.model import parse_model
from attnpipe.schema.training import TrainingSpec
from attnpipe.tables.interventions import INTERVENTIONS

with job(snakemake) as ctx:
    training = ctx.spec.get("training")  # only where copies are trained further
    work = partial(
        intervene,
        from_tensors(*read_tensors(ctx.read.dataset)),
        parse_model(ctx.spec["spec"]),
        read_checkpoints(ctx.read.checkpoints),
        read_outcome(ctx.read.outcome),
        InterventionSpec.model_validate(ctx.spec["intervention"]),
        name=ctx.spec["model"],
        seed=ctx.spec["seed"],
        training=training and TrainingSpec.model_validate(training),
        say=Line(f"intervene {ctx.spec['model']} {ctx.spec['seed']}"),
    )
    table = ctx.attempt(work, INTERVENTIONS.frame())
    write_table(ctx.write.interventions, table, INTERVENTIONS)
