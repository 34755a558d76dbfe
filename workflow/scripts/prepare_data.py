"""Prepare the dataset of a study: windows, split, scaling, probe set."""

from attnpipe.data.prepare import prepare
from attnpipe.data.storage import to_tensors
from attnpipe.io.json import write_json
from attnpipe.io.tensors import write_tensors
from attnpipe.io.wheel import default_cache
from attnpipe.pipeline.job import job
from attnpipe.schema.data import parse_source

with job(snakemake) as ctx:
    dataset = prepare(parse_source(ctx.spec["data"]), cache=default_cache())
    arrays, document = to_tensors(dataset)
    write_tensors(ctx.write.dataset, arrays, document)
    write_json(ctx.write.description, dict(dataset.description))
