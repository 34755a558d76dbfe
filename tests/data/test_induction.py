"""Random tokens in blocks that are repeated."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from attnpipe.data.facts import feasibility
from attnpipe.data.induction import prepare, repeated
from attnpipe.data.storage import from_tensors, to_tensors
from attnpipe.schema.data import InductionData

SMALL = {
    "kind": "induction", "name": "r", "window": 16, "period": [3, 8], "vocabulary": 9, "lead": 0,
    "train_windows": 40, "validation_windows": 12, "test_windows": 10, "probe_samples": 6,
}  # fmt: skip


def small(**changes):
    return prepare(InductionData(**SMALL | changes), cache=Path())


@given(shortest=st.integers(2, 6), more=st.integers(0, 4), seed=st.integers(0, 99))
def test_what_is_scored_can_be_known_by_looking_back(shortest: int, more: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens, scored = repeated(rng, 20, 24, 50, shortest, shortest + more)
    for sequence, marks in zip(tokens, scored, strict=True):
        period = int(np.argmax(marks))  # the first place whose next token is a repetition
        assert shortest <= period <= shortest + more
        assert marks[period:].all()
        assert (sequence[period:] == sequence[:-period]).all()
        assert len(set(sequence[:period].tolist())) == period  # one place to look


def test_blocks_of_every_length_are_drawn_and_all_tokens() -> None:
    tokens, scored = repeated(np.random.default_rng(0), 500, 24, 9, 3, 7)
    assert set(scored.argmax(axis=1)) == {3, 4, 5, 6, 7}
    assert set(np.unique(tokens)) == set(range(9))


def test_splits_are_disjoint_and_the_probe_is_of_validation() -> None:
    data = small()
    parts = [set(items.tolist()) for items in data.splits.values()]
    assert [len(p) for p in parts] == [40, 12, 10]
    assert len(set().union(*parts)) == 62
    assert set(data.probe.tolist()) <= parts[1]
    assert data.probe_tokens.shape == (6, 16)
    assert (data.inputs, data.window) == (9, 16)


def test_the_seed_of_the_data_draws_it() -> None:
    assert np.array_equal(small().tokens, small().tokens)
    assert not np.array_equal(small().tokens, small(data_seed=1).tokens)


def test_everything_comes_back_from_tensors() -> None:
    data = small()
    back = from_tensors(*to_tensors(data))
    assert type(back) is type(data)
    assert np.array_equal(back.tokens, data.tokens)
    assert np.array_equal(back.scored, data.scored)
    assert all(np.array_equal(back.splits[s], data.splits[s]) for s in data.splits)
    assert (back.vocabulary, back.description) == (data.vocabulary, data.description)


def test_facts_are_known_beforehand() -> None:
    facts = feasibility(InductionData(**SMALL))
    assert (facts.features, facts.rows) == (9, 62)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"period": [8, 3]}, r"period is \[8, 3\]; name the shorter block first"),
        ({"period": [3, 9]}, "period goes up to 9, but a window has only 16 tokens"),
        ({"period": [3]}, "at least 2 items"),
        ({"vocabulary": 3}, "greater than or equal to 4"),
        ({"vocabulary": 7}, "period goes up to 8, but there are only 7 distinct"),
        ({"probe_samples": 14}, "probe_samples is 14, but there are 12 validation windows"),
    ],
)
def test_impossible_values_are_refused(changes: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        InductionData(**SMALL | changes)
