"""Single heads that do the same in every seed, whatever their index."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.aggregation.builders import evaluation, run, softmax

from attnpipe.aggregation.effects import effects
from attnpipe.aggregation.similarity import similarity
from attnpipe.tables.interventions import INTERVENTIONS
from attnpipe.tables.study import SIMILARITY

SEEDS = [3, 1, 2, 5, 8]
LAYERS, HEADS = 2, 3
COST = {(0, 0): 1.02, (0, 1): 1.4, (0, 2): 1.1, (1, 0): 1.0, (1, 1): 1.7, (1, 2): 1.2}
"""Layer and planted head → factor on every loss when it is removed."""
INDEX = tuple(range(HEADS))
RNG = np.random.default_rng(11)
SHUFFLED = {seed: [tuple(RNG.permutation(HEADS).tolist()) for _ in range(LAYERS)] for seed in SEEDS}
PLAIN = {seed: [INDEX] * LAYERS for seed in SEEDS}


def runs(orders):
    """Runs whose head at index h does what the planted head ``order[h]`` does."""
    found = []
    for seed in SEEDS:
        own = np.random.default_rng(seed)
        layers = []
        for layer in range(LAYERS):
            planted = np.random.default_rng(100 + layer).normal(size=(HEADS, 24, 1, 8))
            logits = planted + 0.3 * own.normal(size=planted.shape)
            layers.append(softmax(2 * logits)[list(orders[seed][layer])])
        one = run(seed, of=layers[0], untrained=False)
        second = replace(run(seed, of=layers[1]).final[0], layer=1)
        found.append(replace(one, final=[one.final[0], second]))
    return found


def losses():
    return {("m", seed): evaluation(seed, 0.9, repeat=4) for seed in SEEDS}


def removed(of, orders, seeds=SEEDS):
    """Losses of every seed when each head alone is removed, by its index in the seed."""
    tables = {}
    for seed in seeds:
        rows = of["m", seed].select("item", "unit", "loss")
        rng = np.random.default_rng(1000 + seed)
        frames = []
        for layer in range(LAYERS):
            noise = {planted: 1 + 0.01 * rng.normal() for planted in INDEX}
            for head, planted in enumerate(orders[seed][layer]):
                loss = rows["loss"] * COST[layer, planted] * noise[planted]
                frames.append(rows.with_columns(
                    loss=loss, delta=loss - rows["loss"], model=pl.lit("m"),
                    seed=pl.lit(seed, dtype=pl.Int64), intervention=pl.lit("single_head"),
                    layer=pl.lit(layer, dtype=pl.Int64), head=pl.lit(head, dtype=pl.Int64),
                ))  # fmt: skip
        tables["m", seed] = pl.concat([INTERVENTIONS.conform(f) for f in frames])
    return tables


def estimated(orders, alike=None):
    of = losses()
    alike = similarity("m", runs(orders)) if alike is None else alike
    return effects(of, removed(of, orders), {}, 0.02, {"m": alike})


def single(table, metric="skill_units"):
    return table.filter(
        (pl.col("name") == "single_head") & (pl.col("level") == "model")
        & (pl.col("metric") == metric)
    )  # fmt: skip


NUMBERS = ["value", "lo95", "hi95", "p", "p_bh", "p_by", "n_seeds"]


def test_permuted_heads_have_the_effects_that_they_have_unpermuted() -> None:
    assert len({tuple(orders) for orders in SHUFFLED.values()}) > 1
    plain, shuffled = estimated(PLAIN), estimated(SHUFFLED)
    by_index = estimated(SHUFFLED, similarity("m", runs(PLAIN)))
    reference = SHUFFLED[SEEDS[0]]  # its own order names the heads
    differ = []
    for metric in ("loss", "skill_units"):
        for layer in range(LAYERS):
            for name in range(HEADS):
                at = (pl.col("layer") == layer) & (pl.col("head") == name)
                planted = (pl.col("layer") == layer) & (pl.col("head") == reference[layer][name])
                found = single(shuffled, metric).filter(at).select(NUMBERS).row(0)
                wanted = single(plain, metric).filter(planted).select(NUMBERS).row(0)
                assert found == pytest.approx(wanted)
                mixed = single(by_index, metric).filter(at).select(NUMBERS).row(0)
                differ.append(mixed != pytest.approx(wanted))
    assert any(differ)  # pooled by index they would not


def adjusted_by_hand(p: np.ndarray, factor: float) -> np.ndarray:
    """The smallest level at which the step-up procedure rejects each hypothesis."""
    m, order = len(p), np.sort(p)
    return np.array([
        min(min(1.0, factor * m * order[k] / (k + 1)) for k in range(m) if order[k] >= own)
        for own in p
    ])  # fmt: skip


def test_p_of_single_heads_are_adjusted_over_heads_by_bh_and_by() -> None:
    for metric in ("loss", "skill_units"):
        heads = single(estimated(SHUFFLED), metric)
        p = heads["p"].to_numpy()
        assert heads.height == LAYERS * HEADS
        assert len(np.unique(p)) > 1
        harmonic = sum(1 / k for k in range(1, len(p) + 1))
        np.testing.assert_allclose(heads["p_bh"], adjusted_by_hand(p, 1.0), rtol=1e-9)
        np.testing.assert_allclose(heads["p_by"], adjusted_by_hand(p, harmonic), rtol=1e-9)
        assert heads["p_holm"].null_count() == heads.height


def test_a_seed_without_partners_is_left_out() -> None:
    alike = similarity("m", runs(SHUFFLED)).filter(pl.col("seed_b").fill_null(0) != 5)
    table = single(estimated(SHUFFLED, alike))
    assert table["n_seeds"].to_list() == [4] * (LAYERS * HEADS)


def test_without_matches_the_first_seed_stands_alone() -> None:
    table = single(estimated(SHUFFLED, SIMILARITY.frame()))
    assert table["n_seeds"].to_list() == [1] * (LAYERS * HEADS)
    assert table["p_bh"].null_count() == table.height
