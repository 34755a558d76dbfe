"""What shortened inputs cost, and which is chosen."""

from typing import get_args

import numpy as np
import polars as pl
import pytest
from scipy import stats

from attnpipe.aggregation.compression import SIMPLEST_FIRST, compression
from attnpipe.schema.compression import Policy
from attnpipe.stats.two_way import two_way_mean
from attnpipe.tables.compression import COMPRESSION, COMPRESSION_LOSSES

UNITS, DELTA = 30, 0.02
COSTS = {
    ("recent", 0.2): 1.0, ("recent", 0.5): 0.001, ("uniform", 0.5): 0.001,
    ("top_attention", 0.2): 0.0,
}  # fmt: skip


def made(costs=COSTS, seeds=(0, 1, 2, 3, 4), variant=None, confirmed=True, trivial=3.0):
    frames = []
    for seed in seeds:
        for split in ("selection", "confirmation"):
            rng = np.random.default_rng([seed, len(split)])
            intact = rng.uniform(0.4, 0.6, UNITS)
            for (policy, budget), cost in costs.items():
                extra = 0.0 if confirmed or split == "selection" else 0.2
                delta = cost + extra + rng.normal(0, 0.01, UNITS)
                frames.append(
                    COMPRESSION_LOSSES.conform(
                        pl.DataFrame({
                            "item": range(UNITS), "unit": [f"u{i}" for i in range(UNITS)],
                            "loss": intact + delta, "delta": delta,
                        }).with_columns(
                            model=pl.lit("m"), seed=pl.lit(seed), variant=pl.lit(variant),
                            policy=pl.lit(policy), budget=pl.lit(budget), draw=pl.lit(0),
                            kept=pl.lit(3), places=pl.lit(10), reindexed=pl.lit(False),
                            split=pl.lit(split), trivial_loss=pl.lit(trivial, dtype=pl.Float64),
                        )
                    )
                )  # fmt: skip
    return frames


def pick(table, policy, budget, split="selection"):
    rows = table.filter(
        (pl.col("policy") == policy) & (pl.col("budget") == budget) & (pl.col("split") == split)
    )
    return rows.row(0, named=True)


def by_seed(frames, policy, budget, split, column):
    whole = pl.concat(frames).filter(
        (pl.col("policy") == policy) & (pl.col("budget") == budget) & (pl.col("split") == split)
    )
    return np.stack([g.sort("item")[column].to_numpy() for g in whole.partition_by("seed")])


def test_costs_are_shares_of_skill_with_bounds_for_all_pairs_at_once() -> None:
    frames = made()
    table = compression(frames, DELTA)
    assert table.schema == COMPRESSION.schema
    for (policy, budget), cost in COSTS.items():
        for split, level in (("selection", 1 - 0.05 / 4), ("confirmation", 0.95)):
            row = pick(table, policy, budget, split)
            delta = by_seed(frames, policy, budget, split, "delta")
            skill = 3.0 - (by_seed(frames, policy, budget, split, "loss") - delta)
            value = delta.mean() / skill.mean()
            assert row["value"] == pytest.approx(value)
            assert row["lo95"] < value < min(row["hi95"], row["upper"])
            for end, p in (("lo95", 0.05), ("hi95", 0.05), ("upper", 2 * (1 - level))):
                rejected = two_way_mean(delta - row[end] * skill).p_value()
                assert rejected == pytest.approx(p, rel=1e-4)  # Fieller's theorem
            assert row["within"] == (row["upper"] < DELTA)
            assert row["nats"] == pytest.approx(cost, abs=0.01)
            assert (row["n_seeds"], row["n_units"]) == (5, UNITS)


def test_the_smallest_then_the_simplest_is_chosen_and_never_an_oracle() -> None:
    table = compression(made(), DELTA).filter(pl.col("chosen"))
    assert table.select("policy", "budget", "split").rows() == [
        ("recent", 0.5, "selection"), ("recent", 0.5, "confirmation"),
    ]  # fmt: skip


def test_a_choice_that_the_other_split_does_not_confirm_is_not_within() -> None:
    table = compression(made(confirmed=False), DELTA)
    assert pick(table, "recent", 0.5)["within"]
    assert not pick(table, "recent", 0.5, "confirmation")["within"]


def test_nothing_is_chosen_where_nothing_will_do() -> None:
    table = compression(made({("recent", 0.2): 1.0, ("uniform", 0.5): 0.5}), DELTA)
    assert not table["chosen"].any()


def test_the_whole_input_is_chosen_where_nothing_shorter_will_do() -> None:
    whole = {("recent", 1.0): 0.0, ("uniform", 1.0): 0.0}
    costs = {("recent", 0.2): 1.0, ("uniform", 0.5): 0.5}
    frames = [
        frame.with_columns(
            delta=pl.when(pl.col("budget") == 1).then(0.0).otherwise(pl.col("delta")),
            loss=pl.when(pl.col("budget") == 1)
            .then(pl.col("loss") - pl.col("delta"))
            .otherwise(pl.col("loss")),
        )
        for frame in made(costs | whole)
    ]
    table = compression(frames, DELTA)
    assert table.filter(pl.col("chosen")).select("policy", "budget").unique().rows() == [
        ("recent", 1.0)
    ]
    row = pick(table, "recent", 1.0)
    assert [row[c] for c in ("value", "lo95", "hi95", "upper")] == [0, 0, 0, 0]
    # It is no bet: bounds of the others are as wide as without it.
    alone = compression(made(costs), DELTA)
    for policy, budget in costs:
        assert pick(table, policy, budget)["upper"] == pick(alone, policy, budget)["upper"]
    shorter = compression(made(costs | {("random", 0.7): 0.0} | whole), DELTA)
    assert shorter.filter(pl.col("chosen"))["policy"].unique().to_list() == ["random"]


def test_one_run_is_judged_over_its_units() -> None:
    frames = made(seeds=(0,), variant="plain")
    row = pick(compression(frames, DELTA), "recent", 0.2)
    delta = by_seed(frames, "recent", 0.2, "selection", "delta")[0]
    skill = 3.0 - (by_seed(frames, "recent", 0.2, "selection", "loss")[0] - delta)
    assert row["lo95"] < delta.mean() / skill.mean() < row["hi95"]
    rejected = [stats.ttest_1samp(delta - row[c] * skill, 0).pvalue for c in ("lo95", "hi95")]
    assert rejected == pytest.approx([0.05, 0.05])  # Fieller's theorem


def test_one_seed_of_a_trained_model_has_no_interval() -> None:
    row = pick(compression(made(seeds=(0,)), DELTA), "recent", 0.5)
    assert row["value"] is not None
    assert (row["lo95"], row["upper"]) == (None, None)
    assert not row["within"]


def test_without_skill_no_cost_can_be_said() -> None:
    table = compression(made(trivial=0.1), DELTA)
    assert table["value"].null_count() == table.height
    assert not table["within"].any()


def test_without_losses_the_table_is_empty() -> None:
    assert compression([COMPRESSION_LOSSES.frame()], DELTA).equals(COMPRESSION.frame())


def test_every_policy_has_its_place_in_the_order_of_simplicity():
    assert sorted(SIMPLEST_FIRST) == sorted(get_args(Policy))
