"""The table of forecasts of one run."""

from attnpipe.tables.base import INT, REAL, TEXT, Column, Table

EVALUATION = Table("evaluation", "every prediction on the test split, one row per window or sequence", {
    "item": Column(INT, "test window, in time order, or sequence of tokens"),
    "sequence": Column(TEXT, "series or segment the window lies in"),
    "unit": Column(TEXT, "statistical unit: test block or sequence"),
    "target": Column(REAL, "true value, in the target's unit; null for tokens"),
    "prediction": Column(REAL, "forecast, in the target's unit; null for tokens"),
    "correct": Column(REAL, "share of its tokens that were foretold; null for windows"),
    "loss": Column(REAL, "squared error, in the target's unit squared; tokens: nats per token"),
    "trivial_loss": Column(REAL, "loss of the best trivial predictor on this item"),
})  # fmt: skip
