"""Obtain a pretrained model: a local folder, converted once and checked by use."""

from pydantic import TypeAdapter

from attnpipe.io.wheel import default_cache
from attnpipe.pipeline.job import job
from attnpipe.pretrained.obtain import obtain
from attnpipe.schema.pretrained import Task, parse_model_source

with job(snakemake) as ctx:
    obtain(
        parse_model_source(ctx.spec["source"]),
        TypeAdapter(Task).validate_python(ctx.spec["task"]),
        ctx.write.config.parent,
        cache=default_cache(),
        section=f"models.{ctx.spec['model']}.source",
    )
