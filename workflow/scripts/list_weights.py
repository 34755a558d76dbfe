"""Describe the folder that saved weights come from."""

from attnpipe.io.json import write_json
from attnpipe.io.seal import sha256
from attnpipe.pipeline.job import job
from attnpipe.saved_weights.describe import describe
from attnpipe.schema.data import SavedWeightsData

with job(snakemake) as ctx:
    digests = {path: sha256(path) for path in ctx.read.all("files")}
    spec = SavedWeightsData.model_validate(ctx.spec["data"])
    write_json(ctx.write.description, describe(spec, digests))
