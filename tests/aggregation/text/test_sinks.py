"""Sinks that the weights show, and texts that are too long to be looked at weight by weight."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.checks import check, one
from tests.aggregation.text.factory import MODEL, study

from attnpipe.aggregation.text.sinks import off_sinks
from attnpipe.tables.text import TEXT_METRICS

MASS = {(0, 0): 0.5, (0, 1): 0.3, (1, 0): 0.2, (1, 1): 0.4}
"""Layer and head → mass on the sink of the first question; later ones get 0.01 more each."""
CHANCE = 0.05


@pytest.fixture(scope="module")
def found(made, aggregate):
    """Variant cot: position 0 is a sink of both layers, position 3 one of layer 1 alone."""
    rows = [
        {"model": MODEL, "checkpoint": "pretrained", "layer": layer, "head": head,
         "item": text.item, "rows": "all", "target": place, "metric": "data_sink_mass",
         "value": mass + 0.01 * text.question, "chance": CHANCE}
        for text in made.own if text.variant == "cot"
        for (layer, head), mass in MASS.items()
        for place in ((0, 3) if layer == 1 else (0,))
    ]  # fmt: skip
    metrics = pl.concat([made.run.metrics, TEXT_METRICS.frame(rows).lazy()])
    return aggregate(replace(made, run=replace(made.run, metrics=metrics)))


def test_every_level_has_its_mass_over_questions(found):
    at = {"variant": "cot", "position": 0}
    later = 0.01 * np.arange(6)
    for (layer, head), mass in MASS.items():
        check(one(found.sinks, **at, layer=layer, head=head), mass + later)
    check(one(found.sinks, **at, layer=0, head=None), 0.4 + later)
    whole = one(found.sinks, **at, layer=None, head=None)
    check(whole, 0.35 + later)
    assert whole["ratio"] == pytest.approx(np.mean((0.35 + later) / CHANCE))


def test_sinks_are_named_and_told_from_declared_ones(found):
    first = one(found.sinks, variant="cot", position=0, layer=None, head=None)
    assert (first["token"], first["token_share"], first["declared"]) == ("<s>", 1.0, True)
    assert first["layers"] == 2
    other = one(found.sinks, variant="cot", position=3, layer=None, head=None)
    assert (other["token"], other["declared"], other["layers"]) == ("think", False, 1)


def test_a_variant_without_sinks_says_so(found):
    for variant in ("plain", "1_shot", "2_shot"):
        row = one(found.sinks, variant=variant)
        assert (row["layers"], row["position"], row["mean"]) == (0, None, None)


def test_they_are_in_no_other_table(found):
    assert "data_sink_mass" not in set(found.text_summary["metric"])


def test_weights_off_the_sinks_by_hand():
    rows = np.array([[0.6, 0.3, 0.1], [1.0, 0.0, 0.0], [0.0, 0.25, 0.75]], np.float32)
    shown = off_sinks(rows, np.array([True, False, False]))
    np.testing.assert_allclose(shown[[0, 2]], [[0, 0.75, 0.25], [0, 0.25, 0.75]], rtol=1e-6)
    assert np.isnan(shown[1]).all()


def long(made, *variants):
    """The study as if the texts of some variants were longer than the limit."""
    over = pl.when(pl.col("variant").is_in(variants)).then(5)
    answers = made.run.answers.with_columns(over_limit=over.cast(pl.Int64))
    arrays = type(made.run.attention)()
    arrays.full_of = made.run.attention.full_of
    lost = {t.item for t in made.own if t.variant in variants}
    whole = arrays.full

    def full(checkpoint, item):
        assert item not in lost, "it is not stored"
        return whole(checkpoint, item)

    arrays.full = full
    return replace(made, run=replace(made.run, answers=answers, attention=arrays))


def test_texts_over_the_limit_have_no_maps_and_no_part_in_distances(made, tables, aggregate):
    some = aggregate(long(made, "cot", "2_shot"))
    assert set(some.maps["variant"]) == {"plain", "1_shot"}
    assert set(some.head_distances["n"]) == {2}
    plain = tables.maps.filter(variant="plain")
    assert some.maps.filter(variant="plain").equals(plain)
    assert some.heads["cluster"].null_count() == 0


def test_without_any_text_below_the_limit_the_rest_is_still_known(made, tables, aggregate):
    none = aggregate(long(made, "plain", "cot", "1_shot", "2_shot"))
    assert none.maps.is_empty()
    assert none.head_distances.is_empty()
    assert none.heads["cluster"].null_count() == none.heads.height
    for name in ("text_summary", "segment_summary", "text_contrasts", "accuracy"):
        assert getattr(none, name).equals(getattr(tables, name)), name
    same = [c for c in tables.heads.columns if c != "cluster"]
    assert none.heads.select(same).equals(tables.heads.select(same))


def test_a_single_prompt_may_be_all_there_is(aggregate):
    made = study(questions=3, variants=("plain",))
    assert aggregate(long(made, "plain")).maps.is_empty()
