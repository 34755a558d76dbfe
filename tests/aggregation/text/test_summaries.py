"""Metrics over questions, against loops over single rows."""

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.checks import check, one
from tests.aggregation.text.factory import MODEL, study

from attnpipe.aggregation.text import chunks
from attnpipe.aggregation.text.items import items_of
from attnpipe.aggregation.text.metrics import text_summary

CASES = [
    ("plain", "entropy", "last", None),
    ("cot", "entropy_normalized", "last", "sinks_removed"),
    ("2_shot", "max_weight", "all", None),
]


def values_of(made, variant, metric, rows, condition):
    """question → [layer, head]."""
    found = {}
    items = {t.item: t.question for t in made.own if t.variant == variant}
    for row in made.run.metrics.collect().iter_rows(named=True):
        if (
            row["item"] in items
            and (row["metric"], row["rows"], row["condition"]) == (metric, rows, condition)
            and row["head"] is not None
        ):
            table = found.setdefault(items[row["item"]], np.full((2, 2), np.nan))
            table[row["layer"], row["head"]] = row["value"]
    return [found[q] for q in sorted(found)]


@pytest.mark.parametrize(("variant", "metric", "rows", "condition"), CASES)
def test_metrics_are_averaged_over_heads_and_layers_of_each_question_first(
    made, tables, variant, metric, rows, condition
):
    values = values_of(made, variant, metric, rows, condition)
    where = {"variant": variant, "metric": metric, "rows": rows, "condition": condition,
             "target": None}  # fmt: skip
    frame = tables.text_summary
    check(one(frame, **where, layer=1, head=0), [v[1, 0] for v in values])
    check(one(frame, **where, layer=0, head=None), [v[0].mean() for v in values])
    check(one(frame, **where, layer=None, head=None), [v.mean() for v in values])


def test_lags_that_only_longer_texts_have_are_left_out(tables):
    longer = study(variants=("sentences",))  # 7 or 8 tokens by turns
    items = items_of(longer.texts, longer.run.tokens)
    found = text_summary(MODEL, longer.run.metrics, items)
    lags = found.filter(pl.col("metric") == "lag_profile")
    assert sorted(lags["target"].unique()) == list(range(7))
    assert found.filter(pl.col("metric") == "incoming_mass").is_empty()
    equal = tables.text_summary.filter(pl.col("metric") == "incoming_mass")
    assert set(equal.filter(pl.col("variant") == "plain")["target"]) == set(range(7))


def test_chance_is_averaged_too(tables):
    where = {"variant": "plain", "metric": "lag_profile", "target": 3}
    for layer, head in ((0, 1), (0, None), (None, None)):
        row = one(tables.text_summary, **where, layer=layer, head=head)
        assert row["chance"] == pytest.approx(0.25)


def test_distances_between_heads_are_averaged_over_pairs():
    made = study(heads=3, questions=3, variants=("plain",))
    pairs = made.run.metrics.filter(pl.col("metric") == "head_distance").collect()
    items = items_of(made.texts, made.run.tokens)
    found = text_summary(MODEL, made.run.metrics, items).filter(pl.col("metric") == "head_distance")
    of_pair = pairs.filter(layer=0, head=0, target=2).sort("item")["value"].to_list()
    check(one(found, layer=0, head=0, target=2), of_pair)
    of_layer = pairs.filter(layer=1).group_by("item").agg(pl.col("value").mean()).sort("item")
    check(one(found, layer=1, head=None, target=None), of_layer["value"].to_list())
    assert found.filter(pl.col("layer").is_null()).height == 1


def test_means_over_heads_that_are_given_are_taken_and_not_averaged_again(made, tables):
    given = made.run.metrics.filter(pl.col("metric") == "published_layer_entropy").collect()
    plain = [t.item for t in made.own if t.variant == "plain"]
    values = given.filter(pl.col("item").is_in(plain), layer=1).sort("item")["value"].to_list()
    where = {"variant": "plain", "metric": "published_layer_entropy", "layer": 1}
    check(one(tables.text_summary, **where), values)
    # Beside single heads, for some texts only: those are not mixed in twice.
    items = items_of(made.texts, made.run.tokens)
    heads = made.run.metrics.filter(metric="entropy", rows="last").filter(
        pl.col("condition").is_null()
    )
    extra = heads.filter(item=0, head=0).with_columns(
        head=pl.lit(None, pl.Int64), value=pl.lit(9.0)
    )
    found = text_summary(MODEL, pl.concat([heads, extra]), items)
    frame = heads.collect().filter(pl.col("item").is_in(plain), layer=1)
    means = frame.group_by("item").agg(pl.col("value").mean()).sort("item")["value"].to_list()
    check(one(found, variant="plain", layer=1, head=None), [9.0, *means[1:]])


def test_undefined_values_do_not_count():
    made = study(questions=4, variants=("plain",))
    gap = (pl.col("item") == 0) & (pl.col("metric") == "entropy") & (pl.col("head") == 0)
    broken = made.run.metrics.with_columns(value=pl.when(gap).then(float("nan")).otherwise("value"))
    items = items_of(made.texts, made.run.tokens)
    found = text_summary(MODEL, broken, items)
    where = {"metric": "entropy", "rows": "last", "condition": None, "layer": 0}
    assert one(found, **where, head=0)["n"] == 3
    assert one(found, **where, head=None)["n"] == 4  # of the other head


def test_chunks_of_layers_give_the_same_as_all_at_once(made, monkeypatch):
    items = items_of(made.texts, made.run.tokens)
    whole = text_summary(MODEL, made.run.metrics, items)
    shuffled = made.run.metrics.collect().sample(fraction=1.0, shuffle=True, seed=0).lazy()
    monkeypatch.setattr(chunks.chunks, "__defaults__", (1,))
    found = text_summary(MODEL, shuffled, items)
    keys = ["variant", "layer", "head", "condition", "rows", "target", "metric"]
    assert len(found) == len(whole)
    both = whole.join(found, on=keys, nulls_equal=True, suffix="_other")
    assert len(both) == len(whole)
    for name in ("mean", "sd", "lo95"):
        assert np.allclose(both[name].to_numpy(), both[f"{name}_other"].to_numpy(), equal_nan=True)
