"""Position and content of last rows, against sums written out; rollout as a view."""

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.factory import MODEL, Arrays, study
from tests.aggregation.text.naive import entropy

from attnpipe.aggregation.text.items import items_of
from attnpipe.aggregation.text.split import COLUMNS, last_row_splits
from attnpipe.schema.analysis import MetricsSpec


def rows_of(made, variant):
    """[question, layer, head, key] in float64."""
    own = [text.item for text in made.own if text.variant == variant]
    return np.array([made.run.attention.last("pretrained", item) for item in own], np.float64)


@pytest.mark.parametrize("variant", ["plain", "cot", "2_shot"])
@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 1)])
def test_both_parts_are_those_of_their_definition(made, tables, variant, layer, head):
    rows = rows_of(made, variant)[:, layer, head]
    questions, n = rows.shape
    each = np.mean([entropy(row) for row in rows])
    content = (entropy(rows.mean(axis=0)) - each) * questions / (questions - 1)
    whole = np.log(n) - each
    found = tables.heads.filter(variant=variant, layer=layer, head=head).row(0, named=True)
    assert found["content_information"] == pytest.approx(content, abs=1e-6)
    assert found["position_information"] == pytest.approx(whole - content, abs=1e-6)
    assert found["content_share"] == pytest.approx(content / whole, rel=1e-5)


def test_a_head_that_always_looks_at_one_place_is_position(tables):
    own = tables.heads.filter(variant="plain").select("layer", "head", "content_share")
    share = {(layer, head): value for layer, head, value in own.iter_rows()}
    assert share.pop((1, 1)) < 0.1 < min(share.values())


def test_texts_of_different_length_and_single_ones_have_none():
    made = study(questions=3)
    items = items_of(made.texts, made.run.tokens)
    uneven = items.with_columns(even=pl.col("variant") != "plain")
    found = last_row_splits(["pretrained"], uneven, made.run.attention, MetricsSpec())
    assert set(found["variant"]) == {"cot", "1_shot", "2_shot"}
    one = items.filter(question=0).with_columns(texts=pl.lit(1, pl.Int64))
    assert last_row_splits(["pretrained"], one, made.run.attention, MetricsSpec()).is_empty()


def test_uniform_rows_have_no_share():
    made, arrays = study(questions=3), Arrays()
    for (checkpoint, item), full in made.run.attention.full_of.items():
        arrays.full_of[checkpoint, item] = np.full_like(full, 1 / full.shape[-1])
    items = items_of(made.texts, made.run.tokens)
    found = last_row_splits(["pretrained"], items, arrays, MetricsSpec())
    assert found["content_share"].null_count() == found.height
    assert float(found.select(pl.max_horizontal(*COLUMNS[:2]).abs().max()).item()) < 1e-9


def test_rollout_goes_through_all_layers(made, tables):
    text = next(text for text in made.own if text.variant == "cot")
    total = np.eye(len(text.words))
    for layer in made.run.attention.full("pretrained", text.item).astype(np.float64):
        total = (layer.mean(axis=0) + np.eye(len(total))) / 2 @ total
    shown = tables.maps.filter(model=MODEL, item=text.item, view="rollout").sort("query", "key")
    assert shown["value"].to_numpy() == pytest.approx(total.ravel(), abs=1e-9)
