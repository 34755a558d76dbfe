"""Columns that several tables share."""

from attnpipe.tables.base import INT, REAL, TEXT, Column

RUN = {
    "model": Column(TEXT, "model name, as in the config"),
    "seed": Column(INT, "seed of the run"),
}
WHERE = {
    "checkpoint": Column(
        TEXT,
        "`untrained`, `epoch_NNN`, `best` (lowest validation loss) or `test`; in tables over seeds "
        "also `final`: each seed's own final weights, where these are of different checkpoints",
    ),
    "layer": Column(INT, "attention layer, from 0"),
    "head": Column(INT, "head, from 0"),
}
SPREAD = {
    "n": Column(INT, "seeds with a value"),
    "mean": Column(REAL, "mean over seeds"),
    "sd": Column(REAL, "standard deviation over seeds, ddof 1; null for one seed"),
    "min": Column(REAL, "smallest value"),
    "max": Column(REAL, "largest value"),
    "lo95": Column(
        REAL,
        "lower end of the 95 % t interval over seeds, which ends where the metric's range does "
        "(shares in [0, 1], counts from 0) if the mean lies inside; null for one seed",
    ),
    "hi95": Column(REAL, "its upper end"),
}
METRIC = {
    "condition": Column(
        TEXT,
        "a qualification: reason of exclusion; `unknowable`; `chance`, what uniform attention scores; `shuffled_inputs`, final weights on probe inputs in random order",
    ),
    "item": Column(INT, "probe sample, null for the mean over all"),
    "query": Column(INT, "query position, null for all"),
    "target": Column(
        INT, "key position for `profile`; lag for `lag_profile` and `peak_count`; else null"
    ),
    "metric": Column(TEXT, "name of the metric, see the list of metrics"),
    "value": Column(REAL, "value; null when unknowable or undefined"),
    "n_rows": Column(INT, "attention rows behind the value"),
    "n_excluded": Column(INT, "rows left out: invalid, or the metric is undefined for them"),
}
