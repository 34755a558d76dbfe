"""Scores of heads against chance, adjusted for how many heads there are."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import false_discovery_control, ttest_1samp

from attnpipe.aggregation.text.metrics import against_chance
from attnpipe.tables.text import TEXT_SUMMARY

QUESTIONS, HEADS, CHANCE = 12, 30, 0.1


def summary(scores, variant="plain", metric="induction"):
    """Rows of `text_summary`, one per head of scores ``[head, question]``."""
    return pl.DataFrame(
        {
            "model": "m", "checkpoint": "pretrained", "variant": variant, "layer": 0,
            "head": np.arange(len(scores)), "rows": "all", "metric": metric,
            "n": scores.shape[1], "mean": scores.mean(1), "sd": scores.std(1, ddof=1),
            "chance": CHANCE,
        }
    )  # fmt: skip


def conformed(*parts):
    whole = TEXT_SUMMARY.conform(pl.concat(parts, how="diagonal_relaxed"))
    return against_chance(whole.drop("p", "p_bh", "p_by"))


def test_each_head_is_tested_and_adjusted_within_its_variant_and_metric() -> None:
    rng = np.random.default_rng(0)
    groups = {(v, m): CHANCE + rng.normal(0.01, 0.02, (HEADS, QUESTIONS))
              for v in ("plain", "cot") for m in ("induction", "previous_token")}  # fmt: skip
    found = conformed(*(summary(s, v, m) for (v, m), s in groups.items()))
    for (variant, metric), scores in groups.items():
        own = found.filter(variant=variant, metric=metric)
        p = ttest_1samp(scores, CHANCE, axis=1).pvalue
        assert own["p"].to_list() == pytest.approx(p.tolist(), rel=1e-6)
        for column, method in (("p_bh", "bh"), ("p_by", "by")):
            adjusted = false_discovery_control(p, method=method)
            assert own[column].to_list() == pytest.approx(adjusted.tolist(), rel=1e-6)


def test_heads_at_chance_are_seldom_found() -> None:
    """Of 200 sets of heads that do nothing, some head passes alone nearly always, adjusted .05."""
    rng = np.random.default_rng(1)
    alone, together = 0, 0
    for _ in range(200):
        found = conformed(summary(rng.normal(CHANCE, 0.02, (HEADS, QUESTIONS))))
        alone += found["p"].min() < 0.05
        together += found["p_bh"].min() < 0.05
    assert alone > 140  # 1 − .95³⁰ = .785
    assert together < 21  # P(Binomial(200, .05) ≥ 21) = .001


def test_what_has_no_chance_level_or_no_head_is_not_tested() -> None:
    rows = summary(np.full((3, QUESTIONS), 0.2))
    layer = rows.head(1).with_columns(head=pl.lit(None, pl.Int64))
    other = rows.head(1).with_columns(chance=pl.lit(None, pl.Float64))
    found = conformed(rows, layer, other)
    assert found["p"].to_list()[3:] == [None, None]
    assert found["p"][:3].max() < 1e-99  # the same in every question
    assert found["p_bh"].null_count() == found["p_by"].null_count() == 2
    same = conformed(summary(np.full((2, QUESTIONS), CHANCE)))
    assert same["p"].to_list() == [1.0, 1.0]
