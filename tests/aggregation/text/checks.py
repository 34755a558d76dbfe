"""Comparison of rows of tables with plain statistics."""

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

PARTS = {
    "examples_answers": ["shot_1_answer", "shot_2_answer"],
    "examples_questions": ["shot_1_question", "shot_2_question"],
    "operands": ["operand_1", "operand_2"],
    "intermediate": ["question"],
    "shared": ["question"],
    "keyword: {second}": ["operand_2"],
}


def places(text, span):
    runs = text.spans()
    found = [p for name in PARTS.get(span, [span]) for run in runs.get(name, []) for p in run]
    if span == "shared":
        return found[:-1]  # "?" ends, and attends in, the plain prompt
    return [p for p in found if span != "intermediate" or p < len(text.words) - 1]


def check(row, values):
    """Compare a row with statistics of one value per question."""
    x = np.array(values)
    assert row["n"] == len(x)
    assert row["mean"] == pytest.approx(x.mean(), rel=1e-9)
    assert row["sd"] == pytest.approx(x.std(ddof=1), rel=1e-6)
    interval = scipy_stats.t.interval(0.95, len(x) - 1, x.mean(), scipy_stats.sem(x))
    assert (row["lo95"], row["hi95"]) == pytest.approx(interval, rel=1e-6)


def one(frame, **where):
    """The only row with these values; None: null."""
    found = frame.filter([pl.col(k).eq_missing(pl.lit(v)) for k, v in where.items()])
    assert len(found) == 1, found
    return found.row(0, named=True)
