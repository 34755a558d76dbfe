import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats
from tests.aggregation.builders import metrics, run

from attnpipe.aggregation.ranges import RANGES, metric_range
from attnpipe.aggregation.summary import metric_values, summarize
from attnpipe.metrics.catalogue import catalogue
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.study import METRIC_SUMMARY, METRIC_VALUES


def summary(runs):
    return summarize(metric_values("m", runs), runs)


def pick(frame, **where):
    rows = frame.filter(*(pl.col(name) == value for name, value in where.items()))
    assert rows.height == 1, where
    return rows.row(0, named=True)


def test_values_are_those_of_all_seeds_without_single_items():
    values = metric_values("m", [run(1), run(2)])
    assert dict(values.schema) == METRIC_VALUES.schema
    assert values["item"].null_count() == values.height == 2 * 4 * 6
    assert values["seed"].unique(maintain_order=True).to_list() == [1, 2]


def test_summary_is_mean_spread_and_95_percent_t_interval_over_seeds():
    seeds = (1, 2, 5)
    row = pick(
        summary([run(s) for s in seeds]),
        checkpoint="epoch_001", metric="entropy_normalized",
    )  # fmt: skip
    values = np.array([0.9 - 0.01 * s for s in seeds])
    lo, hi = scipy_stats.t.interval(0.95, 2, values.mean(), scipy_stats.sem(values))
    found = [row[c] for c in ("mean", "sd", "min", "max", "lo95", "hi95")]
    expected = [values.mean(), values.std(ddof=1), values.min(), values.max(), lo, hi]
    assert found == pytest.approx(expected)
    assert row["n"] == 3


def of_values(metric, values):
    tables = [metrics(s, [("best", metric, v, {})]) for s, v in enumerate(values)]
    return pick(summary([run(s, table=t) for s, t in enumerate(tables)]), metric=metric)


@pytest.mark.parametrize(
    ("metric", "values", "ends"),
    [
        ("entropy_normalized", [0.80, 0.99, 0.99], (None, 1.0)),
        ("gini", [0.0, 0.1, 0.9], (0.0, 1.0)),
        ("top_mass_5", [0.01, 0.01, 0.2], (0.0, None)),
        ("profile_recent_mass_20", [0.01, 0.01, 0.2], (0.0, None)),
        ("kl_uniform", [0.1, 0.1, 2.0], (0.0, np.log(8))),  # 8 keys
        ("entropy", [1.9, 2.0, 2.05], (None, np.log(8))),
        ("effective_keys_n1", [1.0, 1.0, 5.0], (1.0, 8.0)),
        ("effective_keys_n1", [5.0, 7.9, 7.9], (None, 8.0)),
        ("effective_keys_n2", [5.0, 7.9, 7.9], (None, 8.0)),
        ("profile_peak", [0.0, 7.0, 7.0], (0.0, 7.0)),
        ("recency_contrast", [-0.9, 0.0, 0.9], (-1.0, 1.0)),
        ("recent_excess_5", [-3.0, 0.9, 0.9], (None, 1.0)),
        ("rows_excluded", [0.0, 0.0, 9.0], (0.0, None)),
        ("lag_mean", [-5.0, 0.0, 9.0], (None, None)),
        ("content_share", [0.9, 0.8, 1.05], (None, 1.0)),
        ("content_share", [1.05, 0.9, 1.1], (None, None)),  # its mean lies outside
        ("some_other", [0.0, 0.0, 9.0], (None, None)),
    ],
)
def test_intervals_end_where_the_range_of_the_metric_does(metric, values, ends):
    row = of_values(metric, values)
    free = scipy_stats.t.interval(0.95, 2, np.mean(values), scipy_stats.sem(values))
    expected = [f if end is None else end for f, end in zip(free, ends, strict=True)]
    assert [row["lo95"], row["hi95"]] == pytest.approx(expected)
    assert row["lo95"] < row["mean"] < row["hi95"]


def test_every_metric_has_a_range_and_every_range_a_metric():
    names = catalogue(MetricsSpec(top_k=[3, 12], recent_k=[3, 12]), tokens=True)
    generic = {name.replace("_3", "_{k}").replace("_12", "_{k}") for name in names}
    assert generic == set(RANGES)
    assert metric_range("top_excess_12") == metric_range("profile") == (0.0, 1.0)


def test_targets_and_conditions_are_kept_apart():
    table = summary([run(1), run(2)])
    assert dict(table.schema) == METRIC_SUMMARY.schema
    excluded = table.filter(pl.col("metric") == "rows_excluded", checkpoint="best")
    assert sorted(zip(excluded["condition"], excluded["mean"], strict=True)) == [
        ("padding", 2.0),
        ("sum", 1.0),
    ]
    assert pick(table, checkpoint="best", metric="profile")["target"] == 0


def test_one_seed_has_a_mean_and_no_spread():
    row = pick(summary([run(3)]), checkpoint="best", metric="entropy_normalized")
    assert (row["n"], row["mean"]) == (1, row["min"])
    assert row["sd"] is row["lo95"] is row["hi95"] is None


def test_missing_values_do_not_count():
    tables = [
        metrics(s, [("best", "x", v, {})]) for s, v in ((1, 2.0), (2, None), (3, float("nan")))
    ]
    row = pick(summary([run(s, table=t) for s, t in enumerate(tables)]), metric="x")
    assert (row["n"], row["mean"], row["sd"]) == (1, 2.0, None)


def test_what_is_unknowable_stays_named():
    table = metrics(1, [("best", "entropy", None, {"condition": "unknowable"})])
    row = pick(summary([run(1, table=table)]), metric="entropy")
    assert (row["condition"], row["n"], row["mean"]) == ("unknowable", 0, None)


@pytest.mark.parametrize(
    ("entropy", "word"),
    [(0.99, "nahezu uniform"), (0.90, "schwach fokussiert"), (0.5, "fokussiert")],
)
def test_published_word_stands_at_the_final_profile_alone(entropy, word):
    rows = [
        (checkpoint, metric, entropy, {})
        for checkpoint in ("untrained", "best")
        for metric in ("profile_entropy_normalized", "entropy_normalized")
    ]
    table = summary([run(1, table=metrics(1, rows))])
    found = pick(table, checkpoint="best", metric="profile_entropy_normalized")
    assert found["as_published"] == word
    assert table["as_published"].null_count() == table.height - 1


def test_different_final_checkpoints_are_summarised_as_each_seeds_own():
    rows = [[(c, "profile_entropy_normalized", v, {}) for c, v in of_seed] for of_seed in (
        [("epoch_012", 0.2), ("test", 0.4)], [("epoch_012", 0.6)],
    )]  # fmt: skip
    runs = [
        run(1, final="test", table=metrics(1, rows[0])),
        run(2, final="epoch_012", table=metrics(2, rows[1])),
    ]
    table = summary(runs)
    assert pick(table, checkpoint="epoch_012")["mean"] == pytest.approx(0.4)
    assert pick(table, checkpoint="test")["n"] == 1
    final = pick(table, checkpoint="final")
    assert (final["n"], final["mean"]) == (2, pytest.approx(0.5))
    assert final["as_published"] == "fokussiert"
    assert set(metric_values("m", runs)["checkpoint"]) == {"epoch_012", "test"}


def test_runs_that_are_no_replicates_have_values_and_no_statistics():
    lone = [run(0, probe={"has_seeds": False})]
    row = pick(summary(lone), checkpoint="best", metric="entropy_normalized")
    assert (row["n"], row["mean"]) == (1, pytest.approx(0.7))
    assert [row[c] for c in ("sd", "min", "max", "lo95", "hi95")] == [None] * 5
    several = [run(s, probe={"has_seeds": False}) for s in (0, 1)]
    row = pick(summary(several), checkpoint="best", metric="entropy_normalized")
    assert (row["n"], row["mean"], row["sd"]) == (2, None, None)


def test_runs_without_any_metric_give_an_empty_table():
    assert summary([run(s, table=metrics(s, [])) for s in (1, 2)]).height == 0


def test_no_run_gives_empty_tables():
    assert summary([]).height == 0
    assert dict(summary([]).schema) == METRIC_SUMMARY.schema
