"""Position and content of last rows, against sums written out; rollout as a view."""

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.checks import one
from tests.aggregation.text.factory import MODEL, Arrays, study
from tests.aggregation.text.naive import entropy

from attnpipe.aggregation.text.items import items_of
from attnpipe.aggregation.text.sinks import sink_keys
from attnpipe.aggregation.text.split import COLUMNS, last_row_splits
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.schema.analysis import MetricsSpec


def rows_of(made, variant):
    """[question, layer, head, key] in float64."""
    own = [text.item for text in made.own if text.variant == variant]
    return np.array([made.run.attention.last("pretrained", item) for item in own], np.float64)


@pytest.mark.parametrize("variant", ["plain", "cot", "2_shot"])
@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 1)])
@pytest.mark.parametrize("condition", [None, "sinks_removed"])
def test_both_parts_are_those_of_their_definition(made, tables, variant, layer, head, condition):
    rows = rows_of(made, variant)[:, layer, head]
    if condition:
        rows = rows[:, 1:] / rows[:, 1:].sum(axis=1, keepdims=True)  # the first token is the sink
    questions, n = rows.shape
    each = np.mean([entropy(row) for row in rows])
    content = (entropy(rows.mean(axis=0)) - each) * questions / (questions - 1)
    whole = np.log(n) - each
    found = one(tables.heads, variant=variant, layer=layer, head=head, condition=condition)
    assert found["content_information"] == pytest.approx(content, abs=1e-6)
    assert found["position_information"] == pytest.approx(whole - content, abs=1e-6)
    assert found["content_share"] == pytest.approx(content / whole, rel=1e-5)


def test_a_head_that_always_looks_at_one_place_is_position(tables):
    plain = tables.heads.filter(pl.col("condition").is_null(), variant="plain")
    own = plain.select("layer", "head", "content_share")
    share = {(layer, head): value for layer, head, value in own.iter_rows()}
    assert share.pop((1, 1)) < 0.1 < min(share.values())


def test_texts_of_different_length_and_single_ones_have_none():
    made = study(questions=3)
    items, sinks = items_of(made.texts, made.run.tokens), sink_keys(made.run.tokens, ["special"])
    uneven = items.with_columns(even=pl.col("variant") != "plain")
    attention, metrics = made.run.attention, MetricsSpec()
    found = last_row_splits(["pretrained"], uneven, attention, metrics, sinks, FoundSinks({}))
    assert set(found["variant"]) == {"cot", "1_shot", "2_shot"}
    alone = items.filter(question=0).with_columns(texts=pl.lit(1, pl.Int64))
    assert last_row_splits(
        ["pretrained"], alone, attention, metrics, sinks, FoundSinks({})
    ).is_empty()


def test_uniform_rows_have_no_share():
    made, arrays = study(questions=3), Arrays()
    for (checkpoint, item), full in made.run.attention.full_of.items():
        arrays.full_of[checkpoint, item] = np.full_like(full, 1 / full.shape[-1])
    items, sinks = items_of(made.texts, made.run.tokens), sink_keys(made.run.tokens, ["special"])
    found = last_row_splits(["pretrained"], items, arrays, MetricsSpec(), sinks, FoundSinks({}))
    assert found["content_share"].null_count() == found.height
    assert float(found.select(pl.max_horizontal(*COLUMNS[:2]).abs().max()).item()) < 1e-9


def test_rows_under_a_sliding_window_are_uniform_on_what_they_see():
    """A head that is uniform on its window of four keys says nothing by position."""
    made, arrays = study(questions=3), Arrays()
    for (checkpoint, item), full in made.run.attention.full_of.items():
        arrays.full_of[checkpoint, item] = np.zeros_like(full)
        arrays.full_of[checkpoint, item][..., -4:] = 1 / 4
    items, sinks = items_of(made.texts, made.run.tokens), sink_keys(made.run.tokens, [])
    found = last_row_splits(["pretrained"], items, arrays, MetricsSpec(), sinks, FoundSinks({}))
    assert len(found)
    assert float(found.select(pl.max_horizontal(*COLUMNS[:2]).abs().max()).item()) < 1e-9


@pytest.mark.parametrize("first", [0, 1])
def test_rollout_goes_through_all_layers(made, tables, first):
    """Through all tokens, or from the second one on: without the sink, and off its weight."""
    text = next(text for text in made.own if text.variant == "cot")
    size = len(text.words)
    total = np.eye(size - first)
    for layer in made.run.attention.full("pretrained", text.item).astype(np.float64):
        kept = layer[:, first:, first:]
        mean = (kept / kept.sum(axis=-1, keepdims=True)).mean(axis=0)
        total = (mean + np.eye(len(total))) / 2 @ total
    wanted = np.full((size, size), np.nan)
    wanted[first:, first:] = total
    own = pl.col("condition").eq_missing(pl.lit("sinks_removed" if first else None))
    shown = tables.maps.filter(own, model=MODEL, item=text.item, view="rollout")
    found = shown.sort("query", "key")["value"].fill_null(np.nan).to_numpy()
    np.testing.assert_allclose(found, wanted.ravel(), atol=1e-6)
