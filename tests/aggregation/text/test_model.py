"""All tables of a model; its inventory, answers and document 3's file."""

import json
from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.checks import one
from tests.aggregation.text.factory import MODEL, study

from attnpipe.aggregation.text.accuracy import accuracy
from attnpipe.aggregation.text.document3 import document3_export
from attnpipe.aggregation.text.model import aggregate_text
from attnpipe.aggregation.text.run import TextModelTables
from attnpipe.core.errors import UserError
from attnpipe.core.outcome import Outcome
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.text import TEXT_TABLES


def test_tables_are_those_of_the_study():
    assert [field.name for field in fields(TextModelTables)] == list(TEXT_TABLES)


@pytest.mark.parametrize("kind", ["prompts", "sentences", "failed"])
def test_every_table_has_its_columns(made, tables, aggregate, kind):
    if kind == "sentences":
        tables = aggregate(study(variants=("sentences",)))
    elif kind == "failed":
        outcome = Outcome("failed", "the model could not be read")
        tables = aggregate_text(
            MODEL, None, made.texts, made.spans, made.options, MetricsSpec(), outcome
        )
    for name, table in TEXT_TABLES.items():
        assert dict(getattr(tables, name).schema) == table.schema, name


def test_sentences_have_summaries_and_nothing_to_compare(aggregate):
    tables = aggregate(study(variants=("sentences",)))
    assert tables.text_contrasts.is_empty()
    assert set(tables.segment_summary["span"]) == {"keyword: never"}
    assert len(tables.text_summary)
    row = tables.accuracy.row(0, named=True)
    assert (row["variant"], row["n"], row["correct"]) == ("sentences", 0, 0)
    assert row["accuracy"] is None
    assert row["lo95"] is None


def test_inventory_counts_rows_without_padding(made, tables):
    row = tables.inventory.row(0, named=True)
    tokens = sum(len(t.words) for t in made.own)
    assert row["rows_valid"] == 4 * tokens  # layers × heads
    assert row["rows_excluded"] == 4 * len(made.own)  # one row each with a wrong sum
    assert (row["seed"], row["final"], row["has_seeds"]) == (0, "pretrained", False)
    assert (row["items"], row["checkpoints"], row["parameters"]) == (24, 1, 1234)


def test_untrained_weights_are_a_checkpoint_beside(aggregate):
    tables = aggregate(study(checkpoints=("pretrained", "untrained")))
    row = tables.inventory.row(0, named=True)
    assert (row["checkpoints"], row["final"]) == (2, "pretrained")
    assert row["rows_valid"] == aggregate(study()).inventory["rows_valid"][0]
    for name in ("text_summary", "segment_summary", "heads", "head_distances", "maps"):
        assert set(getattr(tables, name)["checkpoint"]) == {"pretrained", "untrained"}, name


def test_a_failed_run_is_in_the_inventory_alone(made):
    outcome = Outcome("failed", "the model could not be read")
    tables = aggregate_text(
        MODEL, None, made.texts, made.spans, made.options, MetricsSpec(), outcome
    )
    row = tables.inventory.row(0, named=True)
    assert (row["outcome"], row["reason"]) == ("failed", "the model could not be read")
    assert (row["checkpoints"], row["rows_valid"], row["final"]) == (0, None, None)
    assert all(len(f) == 0 for name, f in vars(tables).items() if name != "inventory")


def test_texts_of_other_models_are_left_alone(made, tables):
    doubled = [
        pl.concat([frame, frame.with_columns(model=pl.lit("other"))])
        for frame in (made.texts, made.spans)
    ]
    again = aggregate_text(MODEL, made.run, *doubled, made.options, MetricsSpec(), made.outcome)
    for name, frame in vars(tables).items():
        assert frame.equals(getattr(again, name)), name


def test_a_representative_question_that_is_none_is_refused(made, aggregate):
    options = made.options.model_copy(update={"representative_question": 6})
    with pytest.raises(UserError, match=r"representative_question is 6.*questions 0 to 5"):
        aggregate(made, options)


def test_the_order_of_rows_and_texts_does_not_matter(made, tables, aggregate):
    run = replace(
        made.run,
        tokens=made.run.tokens.sample(fraction=1, shuffle=True, seed=1),
        metrics=made.run.metrics.collect().sample(fraction=1, shuffle=True, seed=2).lazy(),
        segments=made.run.segments.collect().sample(fraction=1, shuffle=True, seed=3).lazy(),
    )
    again = aggregate(replace(made, run=run))
    keys = {
        "text_summary": ["variant", "layer", "head", "condition", "rows", "target", "metric"],
        "text_contrasts": ["family", "layer", "span", "measure", "a", "b"],
        "heads": ["variant", "condition", "layer", "head"],
    }
    for name, by in keys.items():
        one_, other = (getattr(t, name).sort(by) for t in (tables, again))
        for column in one_.columns:
            if one_[column].dtype == pl.Float64:
                a, b = one_[column].to_numpy(), other[column].to_numpy()
                assert np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True), (name, column)
            else:
                assert one_[column].equals(other[column]), (name, column)


def test_accuracy_by_hand(made, tables):
    plain = one(tables.accuracy, variant="plain")
    assert (plain["n"], plain["correct"], plain["accuracy"]) == (6, 3, 0.5)
    assert (plain["lo95"], plain["hi95"]) == pytest.approx((0.1876, 0.8124), abs=1e-4)
    answers = made.run.answers.filter(variant="plain")
    assert plain["loss"] == pytest.approx(answers["loss"].mean())
    assert plain["answer_loss"] == pytest.approx(answers["answer_loss"].mean())
    cot = one(tables.accuracy, variant="cot")
    assert (cot["accuracy"], cot["hi95"]) == (1.0, 1.0)


def test_what_is_no_answer_is_counted_apart(made, tables):
    silent = ("none", "unfinished", "empty")
    for row in tables.accuracy.iter_rows(named=True):
        assert row["wrong"] == row["n"] - row["correct"]
        assert [row[name] for name in silent] == [0, 0, 0]
    readings = {1: "none", 2: "unfinished", 3: "empty", 4: "empty"}
    own = made.run.answers.filter(variant="cot").with_columns(
        reading=pl.col("question").replace_strict(readings, default="right"),
        correct=~pl.col("question").is_in(list(readings)),
    )
    row = accuracy("m", own).row(0, named=True)
    assert [row[n] for n in ("n", "correct", "wrong", *silent)] == [6, 2, 0, 1, 1, 2]
    assert row["accuracy"] == pytest.approx(1 / 3)


# --- document 3 ---------------------------------------------------------------------------


def test_document_3_gets_its_keys(made, tables):
    found = json.loads(json.dumps(document3_export(vars(tables), MODEL), allow_nan=False))
    assert list(found["layer_entropies"]) == ["plain", "cot", "1_shot", "2_shot"]
    rows = [
        made.run.attention.last("pretrained", t.item).astype(float)
        for t in made.own
        if t.variant == "cot"
    ]
    # Its own lines: mean over heads, the last token's row, + 1e-10.
    published = []
    for layer in range(2):
        means = [row[layer].mean(axis=0) + 1e-10 for row in rows]
        published.append(np.mean([-np.sum(mean * np.log(mean)) for mean in means]))
    assert found["layer_entropies"]["cot"] == pytest.approx(published)
    # The twin: every row's own entropy; heads that differ make the mean row look flat.
    own = [[-np.sum(p * np.log(p)) for row in rows for p in row[layer]] for layer in range(2)]
    assert found["layer_entropies_per_row"]["cot"] == pytest.approx([np.mean(o) for o in own])
    assert found["layer_entropies_per_row"]["cot"][1] < published[1] - 0.3
    summary = found["head_specialization_summary"]
    first = summary["most_focused"][0]
    assert list(first)[:4] == ["layer", "head", "entropy", "focus_token"]
    assert (first["layer"], first["head"], first["focus_token"]) == (1, 1, "plus")
    assert list(summary["most_distributed"][0])[:3] == ["layer", "head", "entropy"]
    assert "focus_token" not in summary["most_distributed"][0]
    assert found["head_specialization_variant"] == "cot"


def test_document_3_lists_five_heads_in_its_order(aggregate):
    made = study(layers=4, heads=2, variants=("plain",))
    tables = aggregate(made)
    summary = document3_export(vars(tables), MODEL)["head_specialization_summary"]
    entropies = sorted(tables.heads.filter(pl.col("condition").is_null())["entropy"])
    focused = [head["entropy"] for head in summary["most_focused"]]
    distributed = [head["entropy"] for head in summary["most_distributed"]]
    assert focused == entropies[:5]
    assert distributed == entropies[::-1][:5]
    assert summary["most_focused"][0]["focused_rank_per_row"] == 1


def test_document_3_of_the_study_takes_one_model(tables):
    other = {
        name: pl.concat([frame.with_columns(model=pl.lit("z")), frame])
        for name, frame in vars(tables).items()
    }
    assert document3_export(other, MODEL) == document3_export(vars(tables), MODEL)
    with pytest.raises(UserError, match="no pretrained run of model 'none'"):
        document3_export(other, "none")
