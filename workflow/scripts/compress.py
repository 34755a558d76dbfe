"""Foretell tokens from a part of what stands before them, or forecast from a part of a window."""

from functools import partial

from attnpipe.data.storage import from_tensors
from attnpipe.interventions.compression.run import compress
from attnpipe.io.checkpoints import read_checkpoints
from attnpipe.io.outcome import read_outcome
from attnpipe.io.parquet import write_table
from attnpipe.io.tensors import read_tensors
from attnpipe.pipeline.job import job
from attnpipe.schema.compression import CompressionSpec
from attnpipe.schema.model import parse_model
from attnpipe.tables.compression import COMPRESSION_LOSSES

with job(snakemake) as ctx:
    work = partial(
        compress,
        from_tensors(*read_tensors(ctx.read.dataset)),
        parse_model(ctx.spec["spec"]),
        read_checkpoints(ctx.read.checkpoints),
        read_outcome(ctx.read.outcome),
        CompressionSpec.model_validate(ctx.spec["compression"]),
        name=ctx.spec["model"],
        seed=ctx.spec["seed"],
    )
    table = ctx.attempt(work, COMPRESSION_LOSSES.frame())
    write_table(ctx.write.losses, table, COMPRESSION_LOSSES)
