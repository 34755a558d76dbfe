"""Comparisons of variants: planted effects, naive computations, multiplicity."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats
from tests.aggregation.text.checks import one, places
from tests.aggregation.text.factory import study
from tests.aggregation.text.naive import removed

from attnpipe.aggregation.text.differences import difference
from attnpipe.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm
from attnpipe.stats.sign_flip import sign_flip_test

ALL = {"layer": None, "head": None}


def relative(made, variant, span, condition=None):
    """[question, layer]: mean over heads of relative mass."""
    found = []
    for text in made.own:
        if text.variant == variant:
            last = made.run.attention.last("pretrained", text.item).astype(float)
            rows = last if condition is None else np.apply_along_axis(removed, -1, last)
            on, keys = places(text, span), last.shape[-1] - (condition is not None)
            found.append((rows[..., on].sum(axis=-1) * keys / len(on)).mean(axis=1))
    return np.array(found)


def check(row, differences):
    assert row["n"] == len(differences)
    assert row["mean"] == pytest.approx(differences.mean(), abs=1e-9)
    interval = scipy_stats.ttest_1samp(differences, 0).confidence_interval()
    assert (row["lo95"], row["hi95"]) == pytest.approx(tuple(interval), rel=1e-6, abs=1e-9)
    assert row["p"] == sign_flip_test(differences).p


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
@pytest.mark.parametrize("span", ["question", "operands", "operator", "intermediate", "shared"])
def test_steps_compares_the_same_questions(made, tables, span, condition):
    measure = "mass_relative" + (f"_{condition}" if condition else "")
    values = relative(made, "cot", span, condition) - relative(made, "plain", span, condition)
    where = {"family": "steps", "span": span, "measure": measure, "a": "cot", "b": "plain"}
    check(one(tables.text_contrasts, **where, layer=1), values[:, 1])
    check(one(tables.text_contrasts, **where, **ALL), values.mean(axis=1))


def test_steps_finds_what_was_planted_and_nothing_where_nothing_was(aggregate):
    where = {"family": "steps", "span": "question", "measure": "mass_relative", "layer": 1}
    found = one(aggregate(study(questions=12)).text_contrasts, **where)
    assert found["p_bh"] < 0.01
    assert found["lo95"] > 0
    # Question's share of the tokens: 6/7 plain, 6/11 cot; uniform is 1 in both.
    nothing = one(aggregate(study(questions=12, effect=False)).text_contrasts, **where)
    assert abs(nothing["mean"]) < 0.1 < found["mean"]


def test_examples_are_held_against_uniform_and_their_questions(made, tables):
    answers = relative(made, "2_shot", "examples_answers")
    questions = relative(made, "2_shot", "examples_questions")
    where = {"family": "examples", "a": "2_shot", "measure": "mass_relative",
             "span": "examples_answers"}  # fmt: skip
    check(one(tables.text_contrasts, **where, b="uniform", layer=0), answers[:, 0] - 1)
    row = one(tables.text_contrasts, **where, b="examples_questions", **ALL)
    check(row, (answers - questions).mean(axis=1))
    assert row["lo95"] > 0  # planted
    names = {"1_shot", "2_shot", "with examples"}
    assert set(tables.text_contrasts.filter(family="examples")["a"]) == names


@pytest.mark.parametrize("b", ["uniform", "examples_questions"])
def test_one_number_stands_for_all_numbers_of_examples(made, tables, b):
    """Each question's mean over the variants, whose spread over questions is that of the mean."""
    each = []
    for variant in ("1_shot", "2_shot"):
        answers = relative(made, variant, "examples_answers", "sinks_removed")
        other = 1.0 if b == "uniform" else relative(made, variant, b, "sinks_removed")
        each.append((answers - other).mean(axis=1))
    where = {"family": "examples", "a": "with examples", "b": b, "span": "examples_answers"}
    row = one(tables.text_contrasts, **where, measure="mass_relative_sinks_removed", **ALL)
    check(row, np.mean(each, axis=0))


def test_a_single_number_of_examples_stands_for_itself(aggregate):
    found = aggregate(study(variants=("plain", "1_shot"))).text_contrasts
    assert set(found.filter(family="examples")["a"]) == {"1_shot"}


def test_a_question_that_lacks_a_variant_is_no_part_of_the_mean_over_variants(made, aggregate):
    lost = made.texts.filter(question=2, variant="2_shot")["item"].item()
    kept = made.texts.filter(pl.col("item") != lost)
    found = aggregate(replace(made, texts=kept)).text_contrasts.filter(family="examples")
    n = dict(
        found.filter(b="uniform", layer=1, measure="mass_relative").select("a", "n").iter_rows()
    )
    assert n == {"1_shot": 6, "2_shot": 5, "with examples": 5}


def test_more_shots_are_held_against_fewer(made, tables):
    values = relative(made, "2_shot", "examples_answers") - relative(
        made, "1_shot", "examples_answers"
    )
    where = {"family": "shots", "a": "2_shot", "b": "1_shot", "measure": "mass_relative"}
    check(one(tables.text_contrasts, **where, layer=1), values[:, 1])
    measures = set(tables.text_contrasts.filter(family="shots")["measure"])
    assert {"mass", "mass_per_token", "mass_relative", "mass_sinks_removed"} <= measures


def test_shots_of_different_variants_are_not_mixed(made, aggregate):
    renamed = {"2_shot": "cot_2_shot"}
    texts = made.texts.with_columns(pl.col("variant").replace(renamed))
    answers = made.run.answers.with_columns(pl.col("variant").replace(renamed))
    other = replace(made, texts=texts, run=replace(made.run, answers=answers))
    assert aggregate(other).text_contrasts.filter(family="shots").is_empty()


def test_right_is_held_against_wrong_where_accuracy_allows(made, tables):
    frame = tables.text_contrasts.filter(family="correct")
    groups = {"plain: right", "1_shot: right", "2_shot: right"}  # cot: all right
    assert set(frame["a"]) == groups
    masses = [
        made.run.attention.last("pretrained", t.item)[..., places(t, "operands")].sum(axis=-1)
        for t in made.own
        if t.variant == "plain"
    ]
    values = np.array(masses, dtype=float).mean(axis=2)  # even questions are right
    where = {"a": "plain: right", "b": "plain: wrong", "span": "operands", "measure": "mass"}
    row = one(frame, **where, layer=0)
    reference = scipy_stats.ttest_ind(values[::2, 0], values[1::2, 0], equal_var=False)
    assert row["p"] == pytest.approx(reference.pvalue, rel=1e-5)
    assert row["mean"] == pytest.approx(values[::2, 0].mean() - values[1::2, 0].mean())
    assert row["n"] == 6
    assert row["lo95"] > 0  # planted
    entropy = frame.filter(a="plain: right", measure="entropy")
    assert entropy["layer"].to_list() == [0, 1, None]
    assert entropy["span"].null_count() == 3


def test_a_question_without_an_answer_is_neither_right_nor_wrong(made, aggregate):
    silent = (pl.col("variant") == "plain") & pl.col("question").is_in([1, 3])
    answers = made.run.answers.with_columns(
        given=pl.when(~silent).then("given"),
        reading=pl.when(silent).then(pl.lit("unfinished")).otherwise("reading"),
    )
    found = aggregate(replace(made, run=replace(made.run, answers=answers)))
    counted = one(found.accuracy, variant="plain")
    assert counted["accuracy"] == 0.5
    masses = [
        made.run.attention.last("pretrained", t.item)[..., places(t, "operands")].sum(axis=-1)
        for t in made.own
        if t.variant == "plain"
    ]
    values = np.array(masses, dtype=float).mean(axis=2)
    where = {"a": "plain: right", "span": "operands", "measure": "mass", "layer": 0}
    row = one(found.text_contrasts.filter(family="correct"), **where)
    assert row["n"] == 4
    assert row["mean"] == pytest.approx(values[::2, 0].mean() - values[5, 0])


def test_accuracy_range_includes_its_ends(made, aggregate):
    narrow = made.options.model_copy(update={"accuracy_range": [0.51, 0.8]})
    assert aggregate(made, narrow).text_contrasts.filter(family="correct").is_empty()
    just = made.options.model_copy(update={"accuracy_range": [0.5, 0.8]})
    assert len(aggregate(made, just).text_contrasts.filter(family="correct"))


def test_weights_off_one_by_rounding_are_no_effect(tables):
    # Without its special token a plain prompt is nothing but the question.
    row = one(
        tables.text_contrasts, family="correct", a="plain: right", span="question",
        measure="mass_sinks_removed", **ALL,
    )  # fmt: skip
    assert row["mean"] == 0.0
    assert row["p"] is None
    frame = pl.DataFrame({"a": [1.0, 1.0, 2e-9], "b": [1.0 + 3e-7, 1.01, 1e-9]})
    values = frame.select(difference(pl.col("a"), pl.col("b"))).to_series().to_list()
    assert values == pytest.approx([0.0, -0.01, 1e-9])
    assert values[0] == 0.0


def test_p_is_adjusted_within_family_and_checkpoint(aggregate):
    frame = aggregate(study(checkpoints=("pretrained", "untrained"))).text_contrasts
    for (_, family), part in frame.partition_by("checkpoint", "family", as_dict=True).items():
        overall = part.filter(pl.col("layer").is_null())
        layers = part.filter(pl.col("layer").is_not_null())
        exploring = {"p_bh": benjamini_hochberg, "p_by": benjamini_yekutieli}
        for own, names in ((overall, {"p_holm": holm}), (layers, exploring)):
            p = own["p"].fill_null(np.nan).to_numpy()
            for name, method in names.items():
                adjusted = own[name].fill_null(np.nan).to_numpy()
                assert np.allclose(adjusted, method(p), equal_nan=True), (family, name)
        assert overall["p_bh"].null_count() == len(overall)
        assert layers["p_holm"].null_count() == len(layers)
    # Only the pretrained model answered.
    assert set(frame.filter(family="correct")["checkpoint"]) == {"pretrained"}
    assert set(frame.filter(family="steps")["checkpoint"]) == {"pretrained", "untrained"}


def test_every_other_variant_is_compared_with_the_plain_question(aggregate):
    made = study(variants=("plain", "cot", "1_shot", "pirate"))
    frame = aggregate(made).text_contrasts
    assert set(frame.filter(family="steps")["a"]) == {"cot"}
    own = frame.filter(family="variants")
    assert set(own.select("a", "b").iter_rows()) == {("pirate", "plain")}
    values = relative(made, "pirate", "question") - relative(made, "plain", "question")
    where = {"span": "question", "measure": "mass_relative"}
    check(one(own, **where, layer=1), values[:, 1])
    # They are a family of their own: p of thinking step by step is not adjusted for them.
    for family in ("steps", "variants"):
        overall = frame.filter(pl.col("layer").is_null(), family=family)
        p = overall["p"].fill_null(np.nan).to_numpy()
        adjusted = overall["p_holm"].fill_null(np.nan).to_numpy()
        assert np.allclose(adjusted, holm(p), equal_nan=True)


@pytest.mark.parametrize(
    ("variants", "families"),
    [
        (("plain",), {"correct"}),
        (("cot", "1_shot"), {"examples", "sensitivity", "correct"}),
        (("sentences",), set()),
    ],
)
def test_families_that_the_variants_do_not_allow_are_absent(aggregate, variants, families):
    found = aggregate(study(variants=variants)).text_contrasts
    assert set(found["family"]) == families
