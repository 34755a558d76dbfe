"""What rests on stored rows, off the sinks that the weights show, in plain loops."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.checks import check, one, places
from tests.aggregation.text.naive import entropy, removed
from tests.aggregation.text.planted import LAYER, SHOTS, planted, sink_of

from attnpipe.aggregation.text.items import items_of
from attnpipe.aggregation.text.sinks import sink_keys
from attnpipe.aggregation.text.split import last_row_splits
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.text import TEXT_METRICS

FOUND = "found_sinks_removed"


@pytest.fixture(scope="module")
def made():
    return planted()


@pytest.fixture(scope="module")
def tables(made, aggregate):
    return aggregate(made)


def sinks_of(text, layer):
    return [0, sink_of(text)] if text.shots and layer == LAYER else [0]


def relative(made, text, span):
    """Mean over heads of the mass on a span over its share of keys, layer by layer."""
    last = made.run.attention.last("pretrained", text.item).astype(np.float64)
    found = []
    for layer, heads in enumerate(last):
        gone = sinks_of(text, layer)
        own = [p for p in places(text, span) if p not in gone]
        mass = np.mean([removed(row, gone)[own].sum() for row in heads])
        found.append(mass / (len(own) / (len(text.words) - len(gone))))
    return found


@pytest.mark.parametrize("variant", SHOTS)
def test_contrasts_of_examples_are_those_of_rows_without_the_planted_sink(made, tables, variant):
    own = [text for text in made.own if text.variant == variant]
    differences = []
    for text in own:
        on = [relative(made, text, f"examples_{part}") for part in ("answers", "questions")]
        differences.append(np.subtract(*on))
    at = {"family": "examples", "a": variant, "b": "examples_questions"}
    measure = f"mass_relative_{FOUND}"
    for layer in range(2):
        row = one(tables.text_contrasts, **at, measure=measure, layer=layer)
        check(row, [d[layer] for d in differences])
    check(
        one(tables.text_contrasts, **at, measure=measure, layer=None),
        [d.mean() for d in differences],
    )


def test_the_planted_sink_decides_what_declared_sinks_alone_say(tables):
    for b in ("uniform", "examples_questions"):
        at = {"family": "examples", "b": b, "a": "with examples", "layer": None}
        declared = one(tables.text_contrasts, **at, measure="mass_relative_sinks_removed")
        found = one(tables.text_contrasts, **at, measure=f"mass_relative_{FOUND}")
        assert declared["hi95"] < 0 < found["lo95"]
        assert max(declared["p_holm"], found["p_holm"]) < 0.05


def test_layers_and_variants_without_such_a_sink_are_as_off_the_declared_ones(tables):
    summary = tables.segment_summary.filter(pl.col("head").is_null(), pl.col("span") != "shared")
    keys = ["variant", "layer", "span", "occurrence", "measure"]
    both = summary.filter(condition="sinks_removed").join(
        summary.filter(condition=FOUND), on=keys, nulls_equal=True
    )
    # Declared spans of the factory have no rows without found sinks: they are measured before.
    assert set(both["span"]) >= {"examples_answers", "examples_questions", "operands"}
    gap = (pl.col("mean") - pl.col("mean_right")).abs()
    same = pl.col("variant").eq("plain") | pl.col("layer").eq(1 - LAYER)
    assert both.filter(same).select(gap.max()).item() < 1e-12
    other = both.filter(~same, pl.col("measure") == "mass", pl.col("span") != "examples_questions")
    assert other.select(gap.min()).item() > 1e-3


def test_a_sink_among_the_shared_tokens_is_left_out_in_all_variants(made, aggregate):
    """Position 3 of the plain prompt, a word of the question, in layer 0."""
    rows = [
        {"model": "m", "checkpoint": "pretrained", "layer": 0, "head": 0, "item": text.item,
         "rows": "all", "target": 3, "metric": "data_sink_mass", "value": 0.5, "chance": 0.05}
        for text in made.own if text.variant == "plain"
    ]  # fmt: skip
    metrics = pl.concat([made.run.metrics, TEXT_METRICS.frame(rows).lazy()])
    found = aggregate(replace(made, run=replace(made.run, metrics=metrics)))
    at = {"span": "shared", "measure": "mass", "head": None, "condition": FOUND}
    number = [
        {v: one(found.segment_summary, **at, variant=v, layer=layer)["n_tokens"]
         for v in ("plain", *SHOTS)}
        for layer in range(2)
    ]  # fmt: skip
    assert set(number[0].values()) == {number[1]["plain"] - 1}
    assert len(set(number[1].values())) == 1

    wanted = []
    for question in range(12):
        texts = [t for t in made.own if t.question == question]
        kept = [places(t, "shared") for t in texts]
        gone = places(texts[0], "shared").index(3)
        rows_of = [
            made.run.attention.last("pretrained", t.item)[0].astype(np.float64)[
                :, [p for i, p in enumerate(own) if i != gone]
            ]
            for t, own in zip(texts, kept, strict=True)
        ]
        far = []
        for a, b in combinations(rows_of, 2):
            for p, q in zip(a, b, strict=True):
                p, q = p / p.sum(), q / q.sum()
                jsd = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
                far.append(np.sqrt(jsd / np.log(2)))
        wanted.append(np.mean(far))
    row = one(found.text_contrasts, family="sensitivity", measure=f"distance_{FOUND}", layer=0)
    assert row["mean"] == pytest.approx(np.mean(wanted), rel=1e-6)
    plain = one(found.text_contrasts, family="sensitivity", measure="distance_sinks_removed",
                layer=0)  # fmt: skip
    assert abs(plain["mean"] - row["mean"]) > 1e-3


def test_heads_are_split_into_position_and_content_without_it(made):
    rows = np.array(
        [
            removed(made.run.attention.last("pretrained", t.item)[LAYER, 0].astype(np.float64),
                    sinks_of(t, LAYER))
            for t in made.own if t.variant == "1_shot"
        ]
    )  # fmt: skip
    questions, n = len(rows), rows.shape[1] - 2
    each = np.mean([entropy(row) for row in rows])
    content = (entropy(rows.mean(axis=0)) - each) * questions / (questions - 1)
    items, sinks = items_of(made.texts, made.run.tokens), sink_keys(made.run.tokens, ["special"])
    shown = FoundSinks.of(made.run.metrics)
    found = last_row_splits(
        ["pretrained"], items, made.run.attention, MetricsSpec(), sinks, shown
    ).filter(variant="1_shot", layer=LAYER, head=0)
    row = one(found, condition=FOUND)
    assert row["content_information"] == pytest.approx(content, abs=1e-6)
    assert row["position_information"] == pytest.approx(np.log(n) - each - content, abs=1e-6)
    declared = one(found, condition="sinks_removed")
    assert abs(declared["position_information"] - row["position_information"]) > 0.1


def test_maps_and_distances_are_given_without_it(made, tables):
    texts = [t for t in made.own if t.question == 0]
    text = next(t for t in texts if t.variant == "2_shot")
    full = made.run.attention.full("pretrained", text.item).astype(np.float64)
    shown = tables.maps.filter(
        condition=FOUND, item=text.item, view="l1h0", query=len(text.words) - 1
    )
    wanted = removed(full[1, 0, -1], [0, sink_of(text)])
    np.testing.assert_allclose(shown.sort("key")["value"], wanted, atol=1e-9)

    flow = tables.maps.filter(condition=FOUND, item=text.item, view="rollout")
    undefined = flow.filter(pl.col("value").is_null())
    assert set(undefined["key"]) == set(range(len(text.words)))
    gone = {0, sink_of(text)}  # of one layer, and so of none of the flow
    assert set(flow.filter(pl.col("value").is_not_null())["key"]).isdisjoint(gone)
    total = flow.filter(pl.col("value").is_not_null()).group_by("query").agg(pl.col("value").sum())
    np.testing.assert_allclose(total["value"], 1.0, atol=1e-9)

    far = []
    for t in texts:
        weights = made.run.attention.full("pretrained", t.item).astype(np.float64)
        gone = [0, sink_of(t)] if t.shots else [0]
        of_text = []
        for p, q in zip(weights[0, 0], weights[1, 1], strict=True):
            if np.delete(p, gone).sum() == 0:  # nothing else is seen
                continue
            p, q = removed(p, gone), removed(q, gone)
            jsd = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
            of_text.append(np.sqrt(max(jsd, 0) / np.log(2)))
        far.append(np.mean(of_text))
    row = one(tables.head_distances, condition=FOUND, layer_a=0, head_a=0, layer_b=1, head_b=1)
    assert row["distance"] == pytest.approx(np.mean(far), rel=1e-5)
