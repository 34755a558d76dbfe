"""Write the report."""

from attnpipe.diagnosis.schema import Diagnosis
from attnpipe.io.atomic import write_text
from attnpipe.io.json import read_json
from attnpipe.io.parquet import read_table, read_tables
from attnpipe.io.seal import read_verified
from attnpipe.pipeline.job import job
from attnpipe.report.run import render
from attnpipe.tables.registry import TABLES
from attnpipe.tables.text import TEXTS

with job(snakemake) as ctx:
    pictures = {
        png.stem: (read_verified(png), read_verified(svg).decode("utf-8"))
        for png, svg in zip(ctx.read.all("png"), ctx.read.all("svg"), strict=True)
    }
    report = render(
        Diagnosis.model_validate(read_json(ctx.read.diagnosis)),
        read_tables(ctx.read.named, TABLES),
        pictures,
        ctx.spec | {"data": read_json(ctx.read.description)},
        texts=read_table(ctx.read.texts, TEXTS) if "texts" in ctx.read else None,
    )
    write_text(ctx.write.html, report.html)
    write_text(ctx.write.markdown, report.markdown)
