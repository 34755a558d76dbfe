"""Fail if any run did not end well, so that the exit code says so."""

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text
from attnpipe.io.parquet import read_table
from attnpipe.pipeline.job import job
from attnpipe.tables.study import INVENTORY

with job(snakemake) as ctx:
    ctx.verify("report")
    inventory = read_table(ctx.read.inventory, INVENTORY)
    failures = ctx.failures_of("attempted")
    bad = inventory.filter(inventory["outcome"] != "ok")
    if len(bad):
        runs = ", ".join(
            f"{r['model']}/seed-{r['seed']} {r['outcome']}" for r in bad.to_dicts()[:5]
        )
        runs += f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        total = f"{len(inventory)} run{'s' if len(inventory) > 1 else ''}"
        raise UserError(f"{len(bad)} of {total} did not end well: {runs}; see {ctx.read.report}")
    if failures:
        raise UserError(f"{'; '.join(failures[:5])}; see {ctx.read.report}")
    write_text(ctx.write.marker, f"{len(inventory)} runs ok\n")
