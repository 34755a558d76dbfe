"""What it costs to leave out some of the input, as evidence."""

import re
from collections.abc import Iterator

import polars as pl

from attnpipe.diagnosis.schema import Evidence

WHERE = ("model", "variant", "policy", "budget", "reindexed", "split")
FACTS = ("upper", "nats", "kept", "within", "costly", "chosen")


def compressed(frame: pl.DataFrame) -> Iterator[Evidence]:
    """Yield every policy and budget, in both splits, positions kept or not."""
    for row in frame.iter_rows(named=True):
        variant = "" if row["variant"] is None else "." + re.sub(r"[^\w-]+", "_", row["variant"])
        moved = ".reindexed" if row["reindexed"] else ""
        budget = repr(row["budget"]).replace(".", "_")
        yield Evidence(
            id=f"compression.{row['model']}{variant}.{row['split']}.{row['policy']}.{budget}{moved}",
            table="compression.csv",
            row={column: row[column] for column in WHERE},
            estimate=row["value"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_seeds=row["n_seeds"] if row["variant"] is None else None,
            n_units=row["n_units"],
            unit="of the model's skill",
            facts={name: row[name] for name in FACTS},
        )
