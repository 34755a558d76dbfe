"""Which rows of a table are shown."""

from types import ModuleType

import polars as pl

from attnpipe.report.listing import listings
from attnpipe.tables.effects import EFFECTS

PART = {
    "level": "model", "model": "m", "kind": "intervention", "metric": "skill_units", "n_seeds": 5,
}  # fmt: skip
ROWS = [
    PART
    | {"name": "output_mean", "layer": 1, "value": 0.25, "p": 0.01, "p_bh": 0.02, "p_by": 0.03},
    PART | {"name": "output_mean", "layer": 1, "metric": "log_ratio", "value": 77.0},
    PART | {"name": "output_mean", "layer": 1, "metric": "loss", "value": 77.0},
    PART | {"name": "output_mean", "layer": 1, "level": "seed", "seed": 3, "value": 77.0},
    PART | {"name": "single_head", "layer": 1, "head": 0, "value": 77.0},
    PART | {"name": "cumulative_heads", "removed": 2, "value": 77.0},
    PART | {"name": "output_mean", "code": "E1", "value": 0.5, "p": 0.001, "p_holm": 0.002},
    PART | {"name": "output_mean", "code": "E1", "metric": "log_ratio", "value": 1.5},
]


def test_effects_in_single_layers_follow_those_of_the_model() -> None:
    (shown,) = listings({"effects": EFFECTS.frame(ROWS)})
    cells = [dict(zip(shown.columns, row, strict=True)) for row in shown.rows]
    assert [(row["name"], row["layer"], row["value"]) for row in cells] == [
        ("output_mean", "", "0.5"), ("output_mean", "", "1.5"), ("output_mean", "1", "0.25"),
    ]  # fmt: skip
    assert (cells[0]["p_holm"], cells[0]["p_bh"]) == ("0.002", "")
    assert (cells[2]["p_bh"], cells[2]["p_by"]) == ("0.02", "0.03")


def test_a_model_of_one_layer_has_no_column_of_layers(factory: ModuleType) -> None:
    tables = {"effects": factory.study(factory.Plan(window=20, epochs=6))["effects"]}
    assert tables["effects"].filter(pl.col("layer").is_not_null()).is_empty()
    (shown,) = listings(tables)
    assert not {"layer", "p_bh", "p_by"} & {*shown.columns}
