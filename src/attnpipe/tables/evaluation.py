"""The table of forecasts of one run."""

from attnpipe.tables.base import INT, REAL, TEXT, Column, Table

EVALUATION = Table("evaluation", "every prediction on the test split, one row per window", {
    "item": Column(INT, "test window, in time order"),
    "sequence": Column(TEXT, "series or segment the window lies in"),
    "unit": Column(TEXT, "statistical unit: test block or sequence"),
    "target": Column(REAL, "true value, in the target's unit"),
    "prediction": Column(REAL, "forecast, in the target's unit"),
    "loss": Column(REAL, "squared error, in the target's unit squared"),
    "trivial_loss": Column(REAL, "squared error of the best trivial predictor on this window"),
})  # fmt: skip
