"""Write the texts of a study, as its models read them."""

from pydantic import TypeAdapter

from attnpipe.io.json import write_json
from attnpipe.io.parquet import write_table
from attnpipe.pipeline.job import job
from attnpipe.schema.text import PromptsData, SentencesData
from attnpipe.tables.text import SPANS, TEXTS
from attnpipe.text.study import study_texts

with job(snakemake) as ctx:
    ctx.verify("config", "tokenizer", "tokenizer_config")
    spec = TypeAdapter(PromptsData | SentencesData).validate_python(ctx.spec["data"])
    limits = dict(ctx.spec["models"])
    folders = {m: p.parent for m, p in zip(limits, ctx.read.all("tokenizer"), strict=True)}
    study = study_texts(spec, folders, limits)
    write_table(ctx.write.texts, study.texts, TEXTS)
    write_table(ctx.write.spans, study.spans, SPANS)
    write_json(ctx.write.description, {"texts": study.description})
