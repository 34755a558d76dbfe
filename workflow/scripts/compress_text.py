"""Score answers behind a part of each prompt."""

from functools import partial

from pydantic import TypeAdapter

from attnpipe.interventions.compression.text import compress_texts
from attnpipe.io.parquet import read_table, write_table
from attnpipe.pipeline.job import job
from attnpipe.pretrained.load import load_model
from attnpipe.schema.compression import CompressionSpec
from attnpipe.schema.pretrained import Task
from attnpipe.tables.compression import COMPRESSION_LOSSES
from attnpipe.tables.text import SPANS, TEXTS
from attnpipe.text.reading import model_texts
from attnpipe.text.tokens import load_tokenizer

with job(snakemake) as ctx:
    ctx.verify("config", "weights", "tokenizer", "tokenizer_config")
    name, spec = ctx.spec["model"], ctx.spec["spec"]
    folder, task = ctx.read.config.parent, TypeAdapter(Task).validate_python(spec["task"])
    tokenizer = load_tokenizer(folder)
    tables = read_table(ctx.read.texts, TEXTS), read_table(ctx.read.spans, SPANS)
    work = partial(
        compress_texts,
        load_model(folder, task, spec["dtype"]),
        name,
        model_texts(name, *tables, tokenizer),
        tokenizer,
        CompressionSpec.model_validate(ctx.spec["compression"]),
    )
    table = ctx.attempt(work, COMPRESSION_LOSSES.frame())
    write_table(ctx.write.losses, table, COMPRESSION_LOSSES)
