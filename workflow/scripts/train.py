"""Train one model at one seed and forecast the test split.

An interrupted training goes on from its last epoch.
"""

from attnpipe.data.storage import from_tensors
from attnpipe.io.checkpoints import write_checkpoints
from attnpipe.io.outcome import write_outcome
from attnpipe.io.parquet import write_table
from attnpipe.io.resume import resume_file
from attnpipe.io.tensors import read_tensors
from attnpipe.pipeline.job import job
from attnpipe.schema.model import parse_model
from attnpipe.schema.training import TrainingSpec
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.history import HISTORY
from attnpipe.training.progress import ProgressLine
from attnpipe.training.run import train

with job(snakemake) as ctx:
    model, seed = ctx.spec["model"], ctx.spec["seed"]
    dataset = from_tensors(*read_tensors(ctx.read.dataset))
    spec = parse_model(ctx.spec["spec"])
    training = TrainingSpec.model_validate(ctx.spec["training"])
    resume = resume_file(ctx.write.checkpoints, snakemake.params.spec, ctx.read.dataset)
    progress = ProgressLine(f"train {model} {seed}", training.epochs)
    run = train(dataset, spec, training, seed, name=model, resume=resume, progress=progress)
    write_checkpoints(ctx.write.checkpoints, run.checkpoints, {"model": model, "seed": seed})
    write_table(ctx.write.history, run.history, HISTORY)
    write_table(ctx.write.evaluation, run.evaluation, EVALUATION)
    write_outcome(ctx.write.outcome, run.outcome)
resume.clear()
