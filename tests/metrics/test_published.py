"""Document 0's rules, against its own code."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from attnpipe.metrics.published import entropy_word, published_numbers, stability_word


def as_in_the_notebook(weights):
    w = np.clip(weights, 1e-12, None)
    w = w / w.sum()
    w_norm = weights / weights.sum()
    uniform = np.ones(len(weights)) / len(weights)
    return {
        "profile_entropy_normalized": scipy_entropy(w) / np.log(len(weights)),
        "profile_kl_uniform": scipy_entropy(np.clip(w_norm, 1e-12, None), uniform),
        "profile_recent_mass_5": w_norm[-5:].sum(),
        "profile_recent_mass_10": w_norm[-10:].sum(),
        "profile_recent_mass_20": w_norm[-20:].sum(),
        "profile_peak": np.argmax(w_norm),
    }


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 3.0)), min_size=2, max_size=60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_numbers_are_the_notebooks(weights):
    if sum(weights) == 0:
        return
    profile = np.array(weights)
    mine, theirs = published_numbers(profile, [5, 10, 20]), as_in_the_notebook(profile)
    assert list(mine) == list(theirs)
    for name, value in theirs.items():
        assert mine[name] == pytest.approx(float(value), rel=1e-9, abs=1e-10), name


@pytest.mark.parametrize("profile", [[0.0, 0.0], [0.5, math.nan]])
def test_no_profile_no_numbers(profile):
    numbers = published_numbers(np.array(profile), [5])
    assert len(numbers) == 4
    assert all(math.isnan(value) for value in numbers.values())


def test_a_single_key_has_no_normalised_entropy():
    numbers = published_numbers(np.array([1.0]), [5])
    assert math.isnan(numbers["profile_entropy_normalized"])
    assert numbers["profile_kl_uniform"] == 0.0


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (1.0, "nahezu uniform"),
        (0.9501, "nahezu uniform"),
        (0.95, "schwach fokussiert"),
        (0.8501, "schwach fokussiert"),
        (0.85, "fokussiert"),
        (0.0, "fokussiert"),
    ],
)
def test_entropy_word(value, word):
    assert entropy_word(value) == word


@pytest.mark.parametrize(
    ("value", "word"), [(1.0, "stabil"), (0.9, "stabil"), (0.8999, "instabil"), (-1.0, "instabil")]
)
def test_stability_word(value, word):
    assert stability_word(value) == word


@pytest.mark.parametrize("rule", [entropy_word, stability_word])
def test_there_is_no_word_for_a_missing_value(rule):
    with pytest.raises(ValueError, match="no word for NaN"):
        rule(math.nan)
