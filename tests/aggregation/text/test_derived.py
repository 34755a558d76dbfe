"""Masses on joined spans where support or sinks make a difference."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.aggregation.text.checks import one
from tests.aggregation.text.factory import MODEL, study

from attnpipe.aggregation.text.derived import derived_segments
from attnpipe.aggregation.text.items import items_of
from attnpipe.aggregation.text.shared import shared_tokens
from attnpipe.measurement.text.found_sinks import FoundSinks

SINKS = ["special", "first"]
NOTHING = FoundSinks({})


def derived(made, sinks=SINKS, item=0, found=NOTHING):
    items = items_of(made.texts, made.run.tokens)
    shared = shared_tokens(items, made.run.tokens, made.spans, sinks)
    frame = derived_segments(
        MODEL, ["pretrained"], made.run.tokens, shared, made.run.attention, sinks, found
    )
    return frame.filter(item=item)


def with_row(made, row, item=0):
    """Give the last row of head (0, 0) of a text other weights."""
    made.run.attention.full_of["pretrained", item][0, :, -1] = row
    return made


@pytest.fixture
def plain():
    """<s> What is a plus b ?"""
    return study(variants=("plain",), questions=2)


def test_a_window_counts_only_what_it_sees(plain):
    row = np.array([0, 0, 0, 0, 0.25, 0.25, 0.5])  # plus, the second operand, the mark
    frame = derived(with_row(plain, row))
    found = one(frame, layer=0, head=0, span="operands", condition=None)
    assert (found["mass"], found["n_tokens"], found["n_matches"]) == (0.25, 2, 2)
    assert found["mass_per_token"] == 0.125
    assert found["mass_relative"] == pytest.approx(0.25 / (1 / 3))
    # Of five tokens of the question before the last, two are seen.
    found = one(frame, layer=0, head=0, span="intermediate", condition=None)
    assert (found["mass"], found["n_tokens"]) == (0.5, 5)
    assert found["mass_relative"] == pytest.approx(0.5 / (2 / 3))


def test_sinks_are_taken_out_of_numerator_and_exposure(plain):
    row = np.array([0.6, 0.1, 0.0, 0.1, 0.1, 0.05, 0.05])
    frame = derived(with_row(plain, row))
    found = one(frame, layer=0, head=1, span="operands", condition="sinks_removed")
    assert found["mass"] == pytest.approx(0.15 / 0.4)
    assert found["mass_relative"] == pytest.approx(0.15 / 0.4 / (2 / 5))  # "is" unseen by any


@pytest.mark.parametrize(("left", "known"), [(2e-3, True), (5e-4, False)])
def test_rows_with_next_to_nothing_off_the_sinks_are_undefined(plain, left, known):
    row = np.array([1 - left, *[left / 6] * 6])
    frame = derived(with_row(plain, row))
    found = one(frame, layer=0, head=0, span="operands", condition="sinks_removed")
    assert (found["mass"] is not None) is known
    assert (found["mass_relative"] is not None) is known
    if known:
        assert found["mass_relative"] == pytest.approx(1.0, rel=1e-4)
    assert one(frame, layer=0, head=0, span="operands", condition=None)["mass"] is not None


def test_sinks_are_those_of_the_options(plain):
    none = derived(plain, [])
    for span in ("operands", "intermediate"):
        a, b = (none.filter(pl.col("condition").eq_missing(pl.lit(name)), span=span)["mass"]
                for name in (None, "sinks_removed"))  # fmt: skip
        assert a.to_list() == b.to_list()
    special = derived(plain, ["special"]).filter(span="operands", condition="sinks_removed")
    assert (
        special["mass"].to_list()
        != none.filter(span="operands", condition="sinks_removed")["mass"].to_list()
    )


def test_invalid_rows_have_no_mass(plain):
    frame = derived(with_row(plain, np.full(7, np.nan)))
    assert frame.filter(layer=0)["mass"].null_count() == len(frame.filter(layer=0))
    assert frame.filter(layer=1)["mass"].null_count() == 0


def test_texts_without_such_spans_have_no_rows():
    assert derived(study(variants=("sentences",))).is_empty()
    spans = set(derived(study(variants=("plain",)))["span"])
    assert spans == {"operands", "intermediate", "shared"}


def test_shared_tokens_are_the_same_words_whichever_token_is_the_sink():
    made = study(variants=("plain", "cot"), questions=2)
    # Without a special token, "What" is the sink of the plain question, "Let" that of the other.
    bare = made.run.tokens.with_columns(special=pl.lit(False)).filter(pl.col("position") > 0)
    bare = bare.with_columns(pl.col("position") - 1)
    for key, full in list(made.run.attention.full_of.items()):
        rows = full[:, :, 1:, 1:]
        made.run.attention.full_of[key] = rows / rows.sum(axis=-1, keepdims=True)
    bare_study = replace(made, run=replace(made.run, tokens=bare))
    for item, first in ((0, 1), (1, 5)):  # "is" in the plain prompt, and behind 4 words and "What"
        found = one(derived(bare_study, item=item), layer=0, head=0, span="shared", condition=None)
        last = made.run.attention.last("pretrained", item)[0, 0]
        assert found["n_tokens"] == 4  # is a plus b
        assert found["mass"] == pytest.approx(float(last[first : first + 4].sum()))
