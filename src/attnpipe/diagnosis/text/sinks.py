"""Keys that the weights show to be sinks, as evidence: one per prompt and key."""

from collections.abc import Iterator

import polars as pl

from attnpipe.aggregation.text.names import PRETRAINED
from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.text.names import key

KIND = "found_sink"
WHERE = ("model", "checkpoint", "variant", "layer", "head", "position")
FACTS = ("token", "declared", "layers", "ratio")


def found_sinks(table: pl.DataFrame) -> Iterator[Evidence]:
    """Yield the sinks of every variant over their layers; of one without, that it has none."""
    wanted = table.filter(
        pl.col("layer").is_null() & pl.col("head").is_null() & (pl.col("checkpoint") == PRETRAINED)
    )
    for row in wanted.iter_rows(named=True):
        place = "none" if row["position"] is None else f"p{row['position']}"
        yield Evidence(
            id=key(KIND, row["model"], row["variant"], place),
            table="sinks.csv",
            row={column: row[column] for column in WHERE},
            estimate=row["mean"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_units=row["n"],
            unit="of the weight",
            facts={name: row[name] for name in FACTS},
        )
