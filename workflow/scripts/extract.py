"""Capture attention on the probe set, at every kept checkpoint."""

from attnpipe.data.storage import from_tensors
from attnpipe.extraction.run import extract
from attnpipe.io.checkpoints import read_checkpoints
from attnpipe.io.outcome import read_outcome
from attnpipe.io.record import write_probe, write_records
from attnpipe.io.tensors import read_tensors
from attnpipe.pipeline.job import job
from attnpipe.schema.analysis import CaptureSpec, MetricsSpec
from attnpipe.schema.model import parse_model

with job(snakemake) as ctx:
    run = extract(
        from_tensors(*read_tensors(ctx.read.dataset)),
        parse_model(ctx.spec["spec"]),
        read_checkpoints(ctx.read.checkpoints),
        read_outcome(ctx.read.outcome),
        CaptureSpec.model_validate(ctx.spec["capture"]),
        MetricsSpec.model_validate(ctx.spec["metrics"]) if "metrics" in ctx.spec else None,
        run=f"{ctx.spec['model']}/seed-{ctx.spec['seed']}",
    )
    write_records(ctx.write.attention, run.records)
    write_probe(ctx.write.probe, run.probe)
