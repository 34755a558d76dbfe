"""Distances between prompts and between questions."""

from itertools import combinations

import numpy as np
import pytest
from tests.aggregation.text.checks import one
from tests.aggregation.text.factory import study
from tests.aggregation.text.naive import entropy

from attnpipe.aggregation.text import spread
from attnpipe.aggregation.text.items import items_of
from attnpipe.aggregation.text.shared import shared_tokens
from attnpipe.stats.jackknife import pairwise_mean

SINKS = ["special", "first"]


def shared_places(text, variants):
    """Tokens of the question that attend in no variant."""
    places = [p for run in text.spans()["question"] for p in run]
    return places[:-1] if {"plain", "cot"} & set(variants) else places


def far(p, q):
    p, q = p / p.sum(), q / q.sum()
    return np.sqrt(max(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2, 0) / np.log(2))


def rows_of(made):
    """question → variant → [layer, head, token]."""
    variants = {t.variant for t in made.own}
    found = {}
    for text in made.own:
        last = made.run.attention.last("pretrained", text.item).astype(float)
        found.setdefault(text.question, {})[text.variant] = last[..., shared_places(text, variants)]
    return found


def mean_far(a, b):
    """[layer]: mean over heads."""
    return np.array(
        [[far(p, q) for p, q in zip(x, y, strict=True)] for x, y in zip(a, b, strict=True)]
    ).mean(axis=1)


def test_distances_are_those_of_loops(made, tables):
    rows = rows_of(made)
    own = np.array([
        np.mean([mean_far(a, b) for a, b in combinations(rows[q].values(), 2)], axis=0)
        for q in sorted(rows)
    ])  # fmt: skip
    null = np.full((2, 6, 6), np.nan)
    for i, j in combinations(range(6), 2):
        null[:, i, j] = null[:, j, i] = np.mean(
            [mean_far(rows[i][v], rows[j][v]) for v in rows[i]], axis=0
        )
    where = {"family": "sensitivity", "layer": 1}
    row = one(tables.text_contrasts, **where, measure="distance")
    assert row["mean"] == pytest.approx(own[:, 1].mean(), rel=1e-6)
    assert row["sd"] == pytest.approx(own[:, 1].std(ddof=1), rel=1e-5)
    assert (row["a"], row["b"], row["p"]) == ("variants", None, None)
    row = one(tables.text_contrasts, **where, measure="null_distance")
    estimate = pairwise_mean(null[1])
    assert (row["mean"], row["n"]) == (pytest.approx(estimate.value, rel=1e-6), 6)
    assert (row["lo95"], row["hi95"]) == pytest.approx(estimate.interval(), rel=1e-5)
    row = one(tables.text_contrasts, **where, measure="distance_excess")
    assert row["mean"] == pytest.approx(own[:, 1].mean() - np.nanmean(null[1]), rel=1e-5)
    row = one(tables.text_contrasts, **where, measure="distance_vs_others")
    assert row["mean"] == pytest.approx((own[:, 1] - own[:, 0]).mean(), rel=1e-5)
    row = one(tables.text_contrasts, family="sensitivity", layer=None, measure="distance")
    assert row["mean"] == pytest.approx(own.mean(), rel=1e-6)


def test_a_layer_that_is_more_sensitive_stands_out(aggregate):
    made = study(questions=12, layers=3, effect=False)
    rng = np.random.default_rng(0)
    for (_, item), full in made.run.attention.full_of.items():
        noise = rng.normal(0, 1.5, full.shape[1:])[:, -1]  # per prompt, in layer 2 alone
        row = full[2, :, -1] * np.exp(noise)
        full[2, :, -1] = row / row.sum(axis=-1, keepdims=True)
        assert item is not None
    found = aggregate(made).text_contrasts.filter(family="sensitivity")
    against = found.filter(measure="distance_vs_others").sort("layer")
    assert (against["lo95"] > 0).to_list() == [False, False, True]
    assert against["p_bh"][2] < 0.01


def test_shared_tokens_cover_the_same_characters(made):
    items = items_of(made.texts, made.run.tokens)
    shared = shared_tokens(items, made.run.tokens, made.spans, SINKS)
    assert sorted(shared) == list(range(6))
    for question, tokens in shared.items():
        words = {
            variant: [made.own[item].words[place] for place in tokens.places[variant]]
            for variant, item in tokens.items.items()
        }
        first, second = made.own[tokens.items["plain"]].operands
        assert all(w == ["What", "is", str(first), "plus", str(second)] for w in words.values())
        assert question == made.own[tokens.items["cot"]].question
        assert not tokens.sink.any()


def test_a_sink_in_one_variant_is_left_out_of_all():
    made = study(variants=("plain", "cot"))
    bare = made.run.tokens.filter(~(made.run.tokens["special"])).with_columns(
        position=made.run.tokens.filter(~made.run.tokens["special"])["position"] - 1
    )
    items = items_of(made.texts, bare)
    shared = shared_tokens(items, bare, made.spans, SINKS)
    # Without a special token, the plain prompt's first word is a sink.
    assert all(tokens.sink.tolist() == [True] + [False] * 4 for tokens in shared.values())
    none = shared_tokens(items, bare, made.spans, [])
    assert not any(tokens.sink.any() for tokens in none.values())


def test_questions_of_different_length_are_not_held_against_each_other():
    rng = np.random.default_rng(0)
    rows = rng.uniform(0.1, 1, (2, 4, 3, 2, 5))
    real = np.ones((4, 1, 5), dtype=bool)
    rows[:, 1, ..., 4] = 0
    real[1, 0, 4] = False
    found = spread.distances(rows, real)
    assert np.isnan(found.questions[:, 1]).all()
    assert not np.isnan(found.questions[0][np.ix_([0, 2, 3], [0, 2, 3])][0, 1:]).any()
    assert not np.isnan(found.variants).any()
    expected = mean_far(rows[0, 1][..., :4], rows[1, 1][..., :4])
    assert found.variants[1, :3].tolist() == pytest.approx(expected.tolist())


def test_rows_without_mass_or_with_nan_count_for_nothing():
    rng = np.random.default_rng(1)
    rows = rng.uniform(0.1, 1, (2, 3, 1, 2, 4))
    whole = spread.distances(rows, np.ones((3, 1, 4), dtype=bool)).variants
    rows[0, 0, 0, 0] = np.nan
    rows[1, 1, 0, 1] = 0.0
    found = spread.distances(rows, np.ones((3, 1, 4), dtype=bool)).variants
    assert found[0, 0] == pytest.approx(far(rows[0, 0, 0, 1], rows[1, 0, 0, 1]))
    assert found[1, 0] == pytest.approx(far(rows[0, 1, 0, 0], rows[1, 1, 0, 0]))
    assert found[2, 0] == whole[2, 0]


def test_neighbours_bound_the_comparisons(monkeypatch):
    rows = np.random.default_rng(2).uniform(0.1, 1, (2, 9, 1, 1, 4))
    monkeypatch.setattr(spread, "NEIGHBOURS", 2)
    known = ~np.isnan(spread.distances(rows, np.ones((9, 1, 4), dtype=bool)).questions[0])
    assert known.sum(axis=1).tolist() == [4] * 9
    assert np.array_equal(known, known.T)


def test_intervals_of_distances_cover():
    # Truth from many questions; 120 studies of 12: standard error of coverage .02.
    rng = np.random.default_rng(3)

    def draw(count):
        rows = np.exp(
            rng.normal(0, 0.7, (2, count, 1, 1, 5)) + rng.normal(0, 0.7, (1, count, 1, 1, 5))
        )
        return spread.distances(rows, np.ones((count, 1, 5), dtype=bool))

    truth = np.mean([np.nanmean(draw(150).questions[0]) for _ in range(10)])
    covered = []
    for _ in range(120):
        lo, hi = pairwise_mean(draw(12).questions[0]).interval()
        covered.append(lo <= truth <= hi)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.06)
