"""The study's tables as a reader wants them: the rows that matter, rounded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

MOST_ROWS = 200
"""Rows shown of a table; the rest is in its file."""


@dataclass(frozen=True)
class Listing:
    """A table of the report.

    Attributes
    ----------
    name, file, text
        Name of the table, its file with all rows and digits, and what is shown here.
    columns, numeric, rows
        Column names, whether each holds numbers, and cells as text.
    left_out
        Rows that are only in the file.
    """

    name: str
    file: str
    text: str
    columns: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]
    left_out: int


@dataclass(frozen=True)
class _Choice:
    text: str
    rows: Callable[[pl.DataFrame, Mapping[str, pl.DataFrame]], pl.DataFrame]
    columns: Sequence[str]


def _final(frame: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of each model's final weights; ``final`` stands for a mixture."""
    inventory = tables.get("inventory", pl.DataFrame({"model": [], "final": []}))
    finals = inventory.select("model", checkpoint="final").unique().cast(pl.String)
    mixed = finals.select("model", checkpoint=pl.lit("final")).unique()
    known = pl.concat([finals, mixed]).unique()
    return frame.join(known, on=["model", "checkpoint"], how="semi", maintain_order="left")


CHOICES: dict[str, _Choice] = {
    "inventory": _Choice(
        "Every run and what there is of it.",
        lambda frame, _: frame,
        ["model", "seed", "outcome", "reason", "parameters", "checkpoints", "final", "rows_valid",
         "rows_excluded", "identical_to"],
    ),
    "comparisons": _Choice(
        "Scores over seeds, skill over the best trivial forecast, and gain over the baseline; "
        "single seeds and test units are in the file.",
        lambda frame, _: frame.filter(pl.col("level").is_in(["gain", "skill", "model"])),
        ["level", "model", "baseline", "metric", "value", "lo95", "hi95", "n_seeds", "n_units",
         "hedges_g", "p_sign_flip", "p_smallest", "margin", "equivalence"],
    ),
    "metrics": _Choice(
        "Metrics of the final weights over seeds, without those per key position; other "
        "checkpoints are in the file.",
        lambda frame, tables: _final(
            frame.filter(pl.col("target").is_null() & pl.col("condition").is_null()), tables
        ),
        ["model", "checkpoint", "layer", "head", "metric", "n", "mean", "sd", "min", "max", "lo95",
         "hi95", "as_published"],
    ),
    "similarity": _Choice(
        "Likeness between seeds, before training and of the final weights; single pairs and key "
        "positions are in the file.",
        lambda frame, _: frame.filter(pl.col("level") == "model"),
        ["model", "checkpoint", "layer", "head", "measure", "value", "n", "sd", "min", "lo95",
         "hi95", "as_published"],
    ),
    "convergence": _Choice(
        "When the attention of each run settled; its way there is in the file.",
        lambda frame, _: frame.filter(
            pl.col("epoch") == pl.col("epoch").max().over("model", "seed", "layer", "head")
        ),
        ["model", "seed", "layer", "head", "epoch", "entropy_normalized", "threshold",
         "convergence_epoch", "censored"],
    ),
    "history": _Choice(
        "The last epoch of each run.",
        lambda frame, _: frame.filter(
            pl.col("epoch") == pl.col("epoch").max().over("model", "seed")
        ),
        ["model", "seed", "epoch", "windows_seen", "train_loss", "validation_loss",
         "learning_rate"],
    ),
}  # fmt: skip


def listings(tables: Mapping[str, pl.DataFrame]) -> list[Listing]:
    """Return the tables of the report in reading order; absent and empty ones are left out."""
    found = []
    for name, choice in CHOICES.items():
        if name not in tables or tables[name].is_empty():
            continue
        chosen = choice.rows(tables[name], tables).select(choice.columns)
        kept = [c for c in chosen.columns if chosen[c].null_count() < max(chosen.height, 1)]
        shown = chosen.select(kept).head(MOST_ROWS)
        found.append(
            Listing(
                name=name,
                file=f"{name}.csv",
                text=choice.text,
                columns=kept,
                numeric=[shown[c].dtype.is_numeric() for c in kept],
                rows=[[cell(value) for value in row] for row in shown.iter_rows()],
                left_out=chosen.height - shown.height,
            )
        )
    return found


def cell(value: object) -> str:
    """Return a cell: four significant digits, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"
        return text.replace("-", "−")
    return str(value)
