"""Table of heads, distances between them, clusters, and maps."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.aggregation.text.checks import one
from tests.aggregation.text.factory import MODEL, softmax_rows, study
from tests.aggregation.text.naive import distance, entropy, removed

from attnpipe.aggregation.text.distances import head_clusters, model_distances
from attnpipe.aggregation.text.maps import view_of
from attnpipe.core.errors import UserError


def test_the_head_that_looks_at_one_word_is_told(tables):
    row = one(tables.heads, variant="2_shot", layer=1, head=1, condition=None)
    assert (row["focus_token"], row["focus_share"], row["focused_rank"]) == ("plus", 1.0, 1)
    assert (row["n"], row["published_rank"]) == (6, 1)
    assert row["max_weight"] > 0.95


def test_entropies_are_those_of_single_rows(made, tables):
    values, normal = [], []
    for text in made.own:
        if text.variant == "cot":
            last = made.run.attention.last("pretrained", text.item)[0, 1].astype(float)
            values.append(entropy(last))
            normal.append(values[-1] / np.log(len(last)))
    row = one(tables.heads, variant="cot", layer=0, head=1, condition=None)
    assert row["entropy"] == pytest.approx(np.mean(values))
    assert row["entropy_normalized"] == pytest.approx(np.mean(normal))
    assert row["entropy_lo95"] < row["entropy"] < row["entropy_hi95"]


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
def test_whether_the_focus_stands_out_is_told_beside_it(made, tables, condition):
    shares = set()
    for layer in range(2):
        for head in range(2):
            rows = [
                made.run.attention.last("pretrained", t.item)[layer, head].astype(float)
                for t in made.own if t.variant == "plain"
            ]  # fmt: skip
            kept = [removed(row) if condition else row for row in rows]
            gaps = [np.partition(row, -2)[-1] - np.partition(row, -2)[-2] for row in kept]
            row = one(tables.heads, variant="plain", layer=layer, head=head, condition=condition)
            assert row["focus_resolved"] == pytest.approx(np.mean([gap > 0.05 for gap in gaps]))
            shares.add(row["focus_resolved"])
    assert len(shares) > 1


def test_focus_is_the_most_frequent_word_not_the_word_at_the_most_frequent_place(aggregate):
    made = study(questions=5, variants=("sentences",))  # every other one is longer
    for text in made.own:
        last = made.run.attention.full_of["pretrained", text.item][0, 0, -1]
        last[:] = 0.01
        place = {0: 5, 1: 6, 2: 5, 3: 7, 4: 2}[text.question]  # the, mat, the, mat, cat
        last[place] = 1 - 0.01 * (len(last) - 1)
    own = made.run.metrics.collect()
    places = [
        (t.item, float(made.run.attention.last("pretrained", t.item)[0, 0].argmax()))
        for t in made.own
    ]
    names = pl.DataFrame(places, schema={"item": pl.Int64, "place": pl.Float64}, orient="row")
    at = (pl.col("metric") == "focus_position") & (pl.col("layer") == 0) & (pl.col("head") == 0)
    at &= pl.col("condition").is_null()
    metrics = own.join(names, on="item").with_columns(
        value=pl.when(at).then("place").otherwise("value")
    )
    other = replace(made, run=replace(made.run, metrics=metrics.drop("place").lazy()))
    row = one(aggregate(other).heads, layer=0, head=0, condition=None)
    assert row["focus_position"] == 5
    words = [made.own[q].words[p] for q, p in enumerate([5, 6, 5, 7, 2])]
    assert words == ["the", "mat", "the", "mat", "cat"]
    assert (row["focus_token"], row["focus_share"]) == ("the", 0.4)  # of two, the earlier


def test_ranks_count_within_variant_and_checkpoint(aggregate):
    found = aggregate(study(layers=3, checkpoints=("pretrained", "untrained"))).heads
    for part in found.partition_by("checkpoint", "variant", "condition"):
        for rank, by in (("focused_rank", "entropy_normalized"), ("published_rank", "entropy")):
            assert part.sort(by)[rank].to_list() == list(range(1, 7))


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
def test_distances_are_those_of_loops(made, tables, condition):
    shown = [t.item for t in made.own if t.question == 0]
    expected = []
    for item in shown:
        full = made.run.attention.full("pretrained", item).astype(float)
        expected.append(distance(full[0, 1], full[1, 0], off_sinks=condition is not None))
    where = {"layer_a": 0, "head_a": 1, "layer_b": 1, "head_b": 0, "condition": condition}
    row = one(tables.head_distances, **where)
    assert row["distance"] == pytest.approx(np.mean(expected), rel=1e-6)
    assert row["n"] == 4
    own = pl.col("condition").eq_missing(pl.lit(condition, pl.String))
    assert len(tables.head_distances.filter(own)) == 6


def test_distances_within_a_layer_are_the_metric_of_that_name(made, tables):
    shown = [t.item for t in made.own if t.question == 0]
    metric = made.run.metrics.filter(
        pl.col("metric") == "head_distance", pl.col("item").is_in(shown)
    )
    within = one(tables.head_distances, layer_a=0, head_a=0, layer_b=0, head_b=1, condition=None)
    values = metric.filter(pl.col("layer") == 0).collect()["value"]
    assert within["distance"] == pytest.approx(values.mean(), rel=1e-6)


def test_a_shared_sink_makes_independent_heads_alike_and_its_removal_tells_them_apart():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (1, 2, 30, 30))
    logits[..., ~np.tri(30, dtype=bool)] = -np.inf
    own = softmax_rows(logits)
    sunk = 0.1 * own
    sunk[..., 0] += 0.9
    sink = np.arange(30) == 0
    with_sink, without = model_distances([sunk]), model_distances([sunk], [sink])
    assert with_sink[0, 1] < 0.3
    assert without[0, 1] > 0.6
    # What is left is what there would be without any weight parked on the sink.
    assert without[0, 1] == pytest.approx(model_distances([own], [sink])[0, 1], rel=1e-5)


def test_rows_with_next_to_nothing_off_the_sinks_do_not_count():
    rows = np.zeros((1, 2, 3, 3), np.float32)
    rows[0, 0] = [[1, 0, 0], [0.5, 0.5, 0], [0.9995, 0.0005, 0]]
    rows[0, 1] = [[1, 0, 0], [0.5, 0.5, 0], [0.4, 0, 0.6]]
    far = model_distances([rows], [np.array([True, False, False])])
    assert far[0, 1] == 0  # the second row alone is known of both


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 3), st.integers(1, 6))
def test_distances_are_a_metric(seed, layers, heads, tokens):
    rng = np.random.default_rng(seed)
    maps = [softmax_rows(rng.normal(0, 2, (layers, heads, n, n))) for n in (tokens, tokens + 2)]
    far = model_distances(maps)
    assert np.array_equal(far, far.T)
    assert np.all(np.diag(far) == 0)
    assert np.all((far >= 0) & (far <= 1))
    for k in range(len(far)):
        assert np.all(far <= far[:, [k]] + far[[k], :] + 1e-9)


def test_equal_heads_are_at_zero_and_disjoint_ones_at_one():
    eye, shifted = np.eye(4, dtype=np.float32), np.roll(np.eye(4, dtype=np.float32), 1, axis=1)
    far = model_distances([np.stack([eye, eye, shifted])[None]])
    assert far.tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]


def test_invalid_rows_are_left_out():
    rng = np.random.default_rng(0)
    full = softmax_rows(rng.normal(0, 1, (1, 3, 5, 5)))
    full[0, 1, 2] = np.nan
    full[0, 2] = 0
    far = model_distances([full])
    rows = [0, 1, 3, 4]
    assert far[0, 1] == pytest.approx(
        distance(full[0, 0][rows].astype(float), full[0, 1][rows].astype(float))
    )
    assert np.isnan(far[2]).all()
    labels = head_clusters(far, 2)
    assert labels[2] == -1
    assert sorted(labels[:2]) == [0, 1]


def test_clusters_are_as_many_as_asked_and_join_what_is_near():
    rng = np.random.default_rng(1)
    centre = rng.normal(0, 3, (3, 6, 6))
    logits = np.repeat(centre, 4, axis=0) + rng.normal(0, 0.1, (12, 6, 6))
    far = model_distances([softmax_rows(logits[None])])
    labels = head_clusters(far, 3)
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    for count in (1, 2, 5, 12):
        assert len(set(head_clusters(far, count))) == count


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
def test_clusters_are_in_the_table_of_heads(tables, condition):
    own = pl.col("condition").eq_missing(pl.lit(condition, pl.String))
    heads, distances = tables.heads.filter(own), tables.head_distances.filter(own)
    groups = heads.group_by("layer", "head").agg(pl.col("cluster").unique())
    assert all(len(found) == 1 for found in groups["cluster"])
    # The two nearest of four heads are together, whatever becomes of the others.
    near = distances.sort("distance").row(0, named=True)
    a, b = (
        one(heads, variant="plain", layer=near[f"layer_{x}"], head=near[f"head_{x}"]) for x in "ab"
    )
    assert a["cluster"] == b["cluster"]
    assert set(heads["cluster"]) == {0, 1}


def test_heads_are_told_off_their_sinks_too(made, tables):
    places, values = [], []
    for text in made.own:
        if text.variant == "cot":
            last = made.run.attention.last("pretrained", text.item)[0, 1].astype(float)
            values.append(entropy(removed(last)))
            places.append(int(1 + last[1:].argmax()))
    row = one(tables.heads, variant="cot", layer=0, head=1, condition="sinks_removed")
    assert row["entropy"] == pytest.approx(np.mean(values))
    assert row["focus_position"] in places
    assert row["focus_position"] > 0
    assert set(tables.heads["condition"].to_list()) == {None, "sinks_removed"}


def test_long_texts_cost_a_bounded_number_of_rows(monkeypatch):
    rng = np.random.default_rng(0)
    full = softmax_rows(rng.normal(0, 1, (1, 2, 9, 9)))
    monkeypatch.setattr("attnpipe.aggregation.text.distances.ROWS", 3)
    spaced = [2, 5, 8]
    expected = distance(full[0, 0][spaced].astype(float), full[0, 1][spaced].astype(float))
    assert model_distances([full])[0, 1] == pytest.approx(expected)


# --- maps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
def test_views_are_those_of_document_3(made, tables, condition):
    item = next(t.item for t in made.own if (t.question, t.variant) == (0, "cot"))
    full = made.run.attention.full("pretrained", item).astype(float)
    if condition:
        full[..., 0, :] = np.nan  # the first token sees the sink alone: itself
        full[..., 1:, :] = np.apply_along_axis(removed, -1, full[..., 1:, :])
    for view, expected in {
        "last_layer": full[-1].mean(axis=0),
        "mean": full.mean(axis=(0, 1)),
        "max": full.max(axis=(0, 1)),
        "l1h0": full[1, 0],
        "l1": full[1].mean(axis=0),
    }.items():
        own = pl.col("condition").eq_missing(pl.lit(condition, pl.String))
        rows = tables.maps.filter(own, variant="cot", view=view).sort("query", "key")
        found = rows["value"].fill_null(np.nan).to_numpy().reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert set(tables.maps["variant"]) == {"plain", "cot", "1_shot", "2_shot"}


@pytest.mark.parametrize("view", ["l2h0", "l0h5"])
def test_a_head_that_the_model_does_not_have_is_refused(made, aggregate, view):
    options = made.options.model_copy(update={"views": [view]})
    with pytest.raises(UserError, match=rf"'{view}'.*layers 0 to 1 and heads 0 to 1"):
        aggregate(made, options)
    assert view_of(np.ones((3, 6, 2, 2), dtype=np.float32), view).shape == (2, 2)


def test_model_is_named_everywhere(tables):
    for name, frame in vars(tables).items():
        if name == "text_effects":  # nothing was replaced in this run
            continue
        assert set(frame["model"]) == {MODEL}
