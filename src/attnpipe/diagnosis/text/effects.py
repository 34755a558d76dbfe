"""What answers lose when attention is replaced, as evidence."""

from collections.abc import Iterator

import polars as pl

from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.text.names import key

ALL = "all"
WHERE = ("model", "variant", "intervention", "layers", "metric")
FACTS = ("lo90", "hi90", "hedges_g", "p", "p_holm", "p_bh", "p_by")
UNIT = "of what the question tells of its answer"


def effects(frame: pl.DataFrame) -> Iterator[Evidence]:
    """Yield effects on the whole model (`causal`), on groups of layers, and the unit they have.

    Those over all variants, or of the only one; single variants have ids of their own.
    """
    single = pl.col("variant").n_unique().over("model") == 1
    for row in frame.with_columns(only=single).iter_rows(named=True):
        whole = row["variant"] is None or row["only"]
        variant = None if whole else row["variant"]
        if row["metric"] == "nats":
            if row["code"] is None:
                yield _evidence(row, key("told", row["model"], variant), "nats")
        elif row["layers"] == ALL:
            kind = "causal" if whole else "causal_variant"
            yield _evidence(row, key(kind, row["model"], variant, row["code"]), UNIT)
        elif whole:
            layers = f"l{row['layers']}"
            yield _evidence(row, key("causal_layers", row["model"], row["code"], layers), UNIT)


def _evidence(row: dict[str, object], identity: str, unit: str) -> Evidence:
    return Evidence.model_validate(
        {
            "id": identity,
            "table": "text_effects.csv",
            "row": {column: row[column] for column in WHERE},
            "estimate": row["mean"],
            "lo95": row["lo95"],
            "hi95": row["hi95"],
            "n_units": row["n"],
            "unit": unit,
            "facts": {name: row[name] for name in FACTS},
        }
    )
