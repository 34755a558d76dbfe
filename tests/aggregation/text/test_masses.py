"""Masses on spans over questions, against loops over single rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.checks import check, one, places
from tests.aggregation.text.naive import removed

SPANS = [
    ("plain", "question", None),
    ("cot", "instruction", "sinks_removed"),
    ("2_shot", "examples_answers", None),
    ("2_shot", "examples_answers", "sinks_removed"),
    ("2_shot", "examples_questions", "sinks_removed"),
    ("1_shot", "operands", None),
    ("cot", "intermediate", "sinks_removed"),
    ("2_shot", "keyword: {second}", None),
]


@pytest.mark.parametrize(("variant", "span", "condition"), SPANS)
def test_masses_are_sums_of_weights(made, tables, variant, span, condition):
    mass, per_token, relative = [], [], []
    for text in made.own:
        if text.variant != variant:
            continue
        last = made.run.attention.last("pretrained", text.item).astype(float)
        rows = last if condition is None else np.apply_along_axis(removed, -1, last)
        on, keys = places(text, span), last.shape[-1] - (condition is not None)
        mass.append(rows[..., on].sum(axis=-1))
        per_token.append(mass[-1] / len(on))
        relative.append(mass[-1] / (len(on) / keys))
    where = {"variant": variant, "span": span, "condition": condition, "occurrence": None}
    for measure, values in (
        ("mass", mass), ("mass_per_token", per_token), ("mass_relative", relative),
    ):  # fmt: skip
        at = where | {"measure": measure}
        check(one(tables.segment_summary, **at, layer=1, head=0), [v[1, 0] for v in values])
        check(one(tables.segment_summary, **at, layer=0, head=None), [v[0].mean() for v in values])
        row = one(tables.segment_summary, **at, layer=None, head=None)
        check(row, [v.mean() for v in values])
        assert row["n_tokens"] == len(
            places(next(t for t in made.own if t.variant == variant), span)
        )


def test_only_spans_of_all_questions_are_summarised(made, tables):
    found = set(tables.segment_summary["span"])
    assert {"keyword: plus", "keyword: {first}", "keyword: never", "shot_2_answer"} <= found
    own = {f"keyword: {operand}" for text in made.own for operand in text.operands}
    assert not own & found


def test_a_keyword_without_a_hit_has_no_relative_mass(tables):
    where = {"variant": "cot", "span": "keyword: never", "layer": None, "condition": None}
    row = one(tables.segment_summary, **where, measure="mass")
    assert (row["n"], row["n_matches"], row["mean"]) == (6, 0.0, 0.0)
    assert one(tables.segment_summary, **where, measure="mass_relative")["n"] == 0


def test_occurrences_are_told_apart_where_there_are_several(tables):
    frame = tables.segment_summary.filter(span="keyword: plus", measure="mass", layer=0, head=0)
    frame = frame.filter(pl.col("condition").is_null())
    assert sorted(frame.filter(variant="2_shot")["occurrence"].drop_nulls()) == [0, 1, 2]
    assert frame.filter(variant="plain")["occurrence"].to_list() == [None]
    parts = frame.filter(variant="2_shot")
    whole = parts.filter(pl.col("occurrence").is_null())["mean"][0]
    assert parts["mean"].sum() == pytest.approx(2 * whole)


def test_masses_over_all_rows_have_measures_of_their_own(made, aggregate):
    rng = np.random.default_rng(3)
    known = made.run.segments.filter(pl.col("head") == 0).collect()
    known = known.with_columns(
        head=pl.lit(None, pl.Int64),
        mass=pl.Series(rng.uniform(size=known.height)),
        mass_relative=pl.Series(rng.uniform(size=known.height)),
    )
    run = replace(made.run, row_segments=known.lazy())
    summary = aggregate(replace(made, run=run)).segment_summary
    of_cot = [t.item for t in made.own if t.variant == "cot"]
    for measure in ("mass", "mass_relative"):
        for layer in (0, 1):
            rows = known.filter(
                pl.col("item").is_in(of_cot)
                & pl.all_horizontal(pl.col("condition", "occurrence").is_null()),
                span="keyword: plus",
                layer=layer,
            )
            where = {"variant": "cot", "span": "keyword: plus", "measure": f"{measure}_all_rows"}
            found = summary.filter(pl.col("condition").is_null())
            check(one(found, **where, layer=layer), rows.sort("item")[measure].to_list())
    assert summary.filter(pl.col("measure").str.ends_with("_all_rows"))["head"].is_null().all()
    rest = summary.filter(~pl.col("measure").str.ends_with("_all_rows"))
    assert rest.equals(aggregate(made).segment_summary)


def test_published_masses_are_kept_beside(made, tables):
    rows = made.run.segments.filter(pl.col("as_published").is_not_null()).collect()
    cot = [t.item for t in made.own if t.variant == "cot"]
    values = rows.filter(pl.col("item").is_in(cot), span="keyword: plus").sort("item")
    where = {"variant": "cot", "measure": "as_published"}
    check(
        one(tables.segment_summary, **where, span="keyword: plus"), values["as_published"].to_list()
    )
    assert one(tables.segment_summary, **where, span="keyword: {first}")["n"] == 6
