"""Draw one figure."""

from attnpipe.figures.context import figure_context
from attnpipe.figures.registry import FIGURES, NEEDS
from attnpipe.figures.save import save_png, save_svg
from attnpipe.io.atomic import write_bytes, write_text
from attnpipe.io.json import read_json
from attnpipe.io.parquet import read_tables
from attnpipe.pipeline.job import job
from attnpipe.schema.figure import FigureOptions
from attnpipe.tables.registry import TABLES

with job(snakemake, seal=f"figure-{snakemake.wildcards.figure}") as ctx:
    context = figure_context(ctx.spec, read_json(ctx.read.description))
    absent = {name: TABLES[name].frame() for name in NEEDS[ctx.spec["figure"]]}
    tables = absent | read_tables(ctx.read.named, TABLES)
    options = FigureOptions.model_validate(ctx.spec["options"])
    figure = FIGURES.load(ctx.spec["figure"])(tables, context, options)
    write_bytes(ctx.write.png, save_png(figure, context.style))
    write_text(ctx.write.svg, save_svg(figure, context.style))
