"""Replace a pretrained model's attention while it answers, and score the right answers."""

from functools import partial

from pydantic import TypeAdapter

from attnpipe.core.progress import CountLine
from attnpipe.interventions.text.run import intervene_texts
from attnpipe.io.parquet import read_table, write_table
from attnpipe.pipeline.job import job
from attnpipe.pretrained.load import load_model
from attnpipe.schema.analysis import AnswerSpec
from attnpipe.schema.pretrained import Task
from attnpipe.tables.text import SPANS, TEXT_INTERVENTIONS, TEXTS
from attnpipe.text.reading import model_texts
from attnpipe.text.tokens import load_tokenizer

with job(snakemake) as ctx:
    ctx.verify("config", "weights", "tokenizer", "tokenizer_config")
    name, spec = ctx.spec["model"], ctx.spec["spec"]
    folder, task = ctx.read.config.parent, TypeAdapter(Task).validate_python(spec["task"])
    tokenizer = load_tokenizer(folder)
    tables = read_table(ctx.read.texts, TEXTS), read_table(ctx.read.spans, SPANS)
    work = partial(
        intervene_texts,
        load_model(folder, task, spec["dtype"]),
        name,
        model_texts(name, *tables, tokenizer),
        tokenizer,
        AnswerSpec.model_validate(ctx.spec["answers"]),
        ctx.spec["dense_limit"],
        CountLine(f"intervene_text {name}"),
    )
    table = ctx.attempt(work, TEXT_INTERVENTIONS.frame())
    write_table(ctx.write.interventions, table, TEXT_INTERVENTIONS)
