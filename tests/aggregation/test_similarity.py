from itertools import combinations

import numpy as np
import polars as pl
import pytest
from tests.aggregation.builders import record, run, softmax, weights

from attnpipe.aggregation.profiles import published_profiles
from attnpipe.aggregation.runs import RunTables
from attnpipe.aggregation.similarity import similarity
from attnpipe.core.block import Block
from attnpipe.core.errors import UserError
from attnpipe.metrics.battery import Battery
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.stats.random_likeness import random_likeness
from attnpipe.stats.rows import row_similarity
from attnpipe.tables.study import COMPARED_SEEDS, SIMILARITY

MEASURES = {
    "profile_cosine", "jsd_distance", "profile_pearson", "profile_spearman",
    "centred_cosine", "residual_cosine", "position_cosine",
}  # fmt: skip


OF_ROWS = ["centred_cosine", "residual_cosine", "position_cosine"]


def table(runs):
    return similarity("m", runs)


def pick(frame, **where):
    rows = frame.filter(*(pl.col(name) == value for name, value in where.items()))
    assert rows.height == 1, where
    return rows.row(0, named=True)


def values(frame, **where):
    return frame.filter(*(pl.col(n) == v for n, v in where.items()))["value"].to_list()


def test_all_pairs_of_seeds_are_compared_final_and_untrained():
    seeds = (3, 1, 2)
    found = table([run(s) for s in seeds])
    assert dict(found.schema) == SIMILARITY.schema
    pairs = found.filter(pl.col("level") == "pair")
    measures = MEASURES | {"matched_cosine"}
    assert set(pairs["measure"]) == measures
    expected = [(c, m, a, b) for c in ("untrained", "best") for m in measures
                for a, b in combinations(seeds, 2)]  # fmt: skip
    keys = pairs.select("checkpoint", "measure", "seed_a", "seed_b").rows()
    assert sorted(keys) == sorted(expected)
    assert pairs["value"].null_count() == 0


def test_of_many_seeds_the_first_are_compared_with_each_other():
    runs = [run(s) for s in range(COMPARED_SEEDS + 3)]
    found = table(runs)
    steps = pl.col("level") == "timestep"
    assert found.filter(~steps).equals(table(runs[:COMPARED_SEEDS]).filter(~steps))
    assert set(found.filter(steps)["n"]) == {COMPARED_SEEDS + 3}
    assert set(found.filter(pl.col("level") == "model")["n"]) == {COMPARED_SEEDS}
    assert found["seed_b"].max() == COMPARED_SEEDS - 1


def test_pair_values_are_those_of_the_averaged_rows():
    runs = [run(s, of=weights(s, (1, 5, 1, 8))) for s in (1, 2)]
    p, q = (r.final[0].weights[0, :, 0].astype(float).mean(axis=0) for r in runs)
    found = table(runs)
    published = np.dot(p, q) / (np.linalg.norm(p) * np.linalg.norm(q))
    best = {"checkpoint": "best", "level": "pair"}
    assert values(found, **best, measure="profile_cosine") == [pytest.approx(published)]
    assert values(found, **best, measure="profile_pearson") == [
        pytest.approx(np.corrcoef(p, q)[0, 1])
    ]
    rows = row_similarity([r.final[0].weights[0] for r in runs], runs[0].final[0].support)
    assert values(found, **best, measure="centred_cosine") == [pytest.approx(rows.centred[0, 1])]
    assert values(found, **best, measure="residual_cosine") == [pytest.approx(rows.residual[0, 1])]
    assert values(found, **best, measure="position_cosine") == [
        pytest.approx(np.corrcoef(p, q)[0, 1], abs=1e-6)  # one query: the profile itself
    ]


def test_model_level_is_the_mean_over_pairs_with_a_jackknife_interval():
    found = table([run(s, of=weights(s, shared=0.5)) for s in range(4)])
    for measure in MEASURES:
        pairs = np.ones((4, 4))
        of_pairs = values(found, checkpoint="best", level="pair", measure=measure)
        pairs[np.triu_indices(4, 1)] = of_pairs
        pairs = np.triu(pairs, 1) + np.triu(pairs, 1).T
        estimate = pairwise_mean(pairs)
        lo, hi = estimate.interval(0.95)
        row = pick(found, checkpoint="best", level="model", measure=measure)
        lo, hi = max(lo, 0.0 if measure == "jsd_distance" else -1.0), min(hi, 1.0)
        assert [row[c] for c in ("value", "sd", "min", "lo95", "hi95")] == pytest.approx(
            [
                np.mean(of_pairs),
                np.std(of_pairs, ddof=1),
                min(of_pairs),
                lo,
                hi,
            ]
        )
        assert row["n"] == 4


def test_an_untrained_model_looks_stable_by_the_published_cosine_and_is_not():
    found = table([run(s, of=weights(s, (1, 64, 1, 50))) for s in range(5)])
    cosine = pick(found, checkpoint="untrained", level="model", measure="profile_cosine")
    centred = pick(found, checkpoint="untrained", level="model", measure="centred_cosine")
    assert cosine["value"] > 0.999
    assert cosine["as_published"] == "stabil"
    assert abs(centred["value"]) < 0.05


def test_published_word_stands_at_the_mean_cosine_alone():
    sharp = [run(s, of=softmax(4 * np.eye(8)[s][None, None, None].repeat(6, 1))) for s in range(3)]
    found = table(sharp)
    row = pick(found, checkpoint="best", level="model", measure="profile_cosine")
    assert row["as_published"] == "instabil"
    named = found.filter(pl.col("as_published").is_not_null())
    assert set(named["measure"]) == {"profile_cosine"}
    assert set(named["level"]) == {"model"}


def test_variation_per_timestep_is_corrected_and_of_normalised_profiles():
    runs = [run(s) for s in range(4)]
    profiles = np.stack([r.final[0].weights[0, :, 0].astype(float).mean(axis=0) for r in runs])
    expected = profiles.std(axis=0, ddof=1) / profiles.mean(axis=0) * (1 + 1 / 16)
    found = table(runs).filter(pl.col("level") == "timestep", checkpoint="best")
    assert found["target"].to_list() == list(range(8))
    assert found["value"].to_list() == pytest.approx(expected.tolist(), rel=1e-6)
    assert set(found["n"]) == {4}
    assert set(found["measure"]) == {"cv"}


@pytest.mark.parametrize(
    ("row", "choose"),
    [("last_query", lambda w: w[:, -1]), ("mean_query", lambda w: w.mean(axis=1))],
)
def test_published_row_is_taken_from_the_sample_mean(row, choose):
    w = weights(1, (2, 5, 3, 8))
    positions, profiles = published_profiles(record("best", w), row)
    assert positions.tolist() == list(range(8))
    assert np.allclose(profiles, choose(w.astype(float).mean(axis=1)), atol=1e-7)


def test_keys_and_queries_out_of_order_are_put_in_order():
    w = weights(1, (1, 5, 3, 8))
    straight = record("best", w)
    keys, queries = np.array([3, 0, 7, 1, 2, 6, 5, 4]), np.array([2, 0, 1])
    shuffled = type(straight)(
        "best", 0, w[:, :, queries][..., keys], straight.support[..., keys],
        straight.query_positions[queries], straight.key_positions[keys], straight.samples,
    )  # fmt: skip
    for a, b in zip(
        published_profiles(straight, "last_query"),
        published_profiles(shuffled, "last_query"),
        strict=True,
    ):
        assert np.allclose(a, b)


def test_rows_that_are_not_finite_or_padded_are_left_out_of_profiles():
    w = weights(1, (1, 4, 1, 8)).copy()
    expected = w[0, 2:, 0].astype(float).mean(axis=0)
    w[0, 0] = np.nan
    support = np.ones((4, 1, 8), dtype=bool)
    support[1] = False
    _, profiles = published_profiles(record("best", w, support), "only")
    assert np.allclose(profiles[0], expected)


def test_a_stored_battery_gives_the_profile_over_all_samples():
    w = weights(1, (1, 40, 1, 8))
    battery = Battery(MetricsSpec(top_k=[2], recent_k=[2]))
    whole = record("best", w)
    battery.update(Block(w, whole.support, whole.query_positions, whole.key_positions,
                         whole.samples))  # fmt: skip
    part = record("best", w[:, :4], states={"battery": battery.state()})
    _, profiles = published_profiles(part, "only")
    assert np.allclose(profiles[0], w[0, :, 0].astype(float).mean(axis=0), atol=1e-7)


def test_an_unknown_row_is_refused_by_name():
    with pytest.raises(UserError, match="unknown published_row 'first'"):
        published_profiles(record("best", weights(1)), "first")


# ------------------------------------------------------------------ what is missing


def test_averaged_weights_have_profiles_and_no_rows():
    found = table([run(s, probe={"averaged_over": ("sample",)}) for s in range(3)])
    rows = found.filter(pl.col("measure").is_in(OF_ROWS))
    assert rows["value"].null_count() == rows.height > 0
    assert set(rows.filter(pl.col("level") == "model")["n"]) == {3}
    assert rows["null_mean"].null_count() == rows["above_null"].null_count() == rows.height
    rest = found.filter(~pl.col("measure").is_in(OF_ROWS))
    assert rest["value"].null_count() == 0


def test_runs_that_are_no_replicates_have_no_similarity():
    found = table([run(s, probe={"has_seeds": False}) for s in range(2)])
    assert found["value"].null_count() == found.height > 0
    assert set(found.filter(pl.col("level") == "model")["n"]) == {2}


def test_one_seed_has_nothing_to_be_compared_with():
    found = table([run(1)])
    assert found.filter(pl.col("level") == "pair").height == 0
    assert found["value"].null_count() == found.height > 0


def test_no_run_gives_an_empty_table():
    assert dict(table([]).schema) == SIMILARITY.schema
    assert table([]).height == 0


def test_two_seeds_have_a_value_and_no_interval():
    row = pick(table([run(1), run(2)]), checkpoint="best", level="model", measure="profile_cosine")
    assert row["value"] is not None
    assert row["sd"] is row["lo95"] is row["hi95"] is None


def test_seeds_with_other_samples_share_profiles_only():
    runs = [run(1), run(2), run(3, of=weights(3, (1, 4, 1, 8)))]
    found = table(runs).filter(pl.col("checkpoint") == "best", pl.col("level") == "pair")
    with_third = found.filter(pl.col("seed_b") == 3)
    rows = pl.col("measure").is_in(OF_ROWS)
    assert with_third.filter(rows)["value"].null_count() == 6
    assert with_third.filter(~rows)["value"].null_count() == 0
    assert found.filter(pl.col("seed_b") == 2)["value"].null_count() == 0


def test_seeds_with_other_windows_share_nothing():
    found = table([run(1), run(2, of=weights(2, (1, 6, 1, 5))), run(3)])
    best = found.filter(pl.col("checkpoint") == "best")
    row = pick(best, level="model", measure="profile_cosine")
    assert row["n"] == 2
    assert best.filter(pl.col("level") == "timestep")["value"].null_count() == 8


def test_uniform_attention_has_a_published_cosine_and_no_pattern():
    uniform = softmax(np.zeros((1, 6, 1, 8)))
    found = table([run(s, of=uniform, untrained=False) for s in range(3)])
    row = pick(found, level="model", measure="profile_cosine")
    assert (row["value"], row["as_published"]) == (pytest.approx(1.0), "stabil")
    for measure in (*OF_ROWS, "profile_pearson", "profile_spearman"):
        assert pick(found, level="model", measure=measure)["value"] is None


def test_different_final_checkpoints_are_compared_as_each_seeds_own():
    runs = [run(1, final="test"), run(2, final="epoch_012")]
    found = table(runs)
    assert set(found["checkpoint"]) == {"untrained", "final"}
    a, b = (r.final[0].weights[0] for r in runs)
    expected = row_similarity([a, b], runs[0].final[0].support).centred[0, 1]
    pair = pick(found, checkpoint="final", level="pair", measure="centred_cosine")
    assert pair["value"] == pytest.approx(expected)


def test_layers_and_heads_are_compared_by_index():
    runs = []
    for seed in (1, 2):
        base = run(seed, of=weights(seed, (3, 6, 1, 8)), untrained=False)
        layers = [*base.final, record("best", weights(50 + seed), layer=1)]
        runs.append(RunTables(seed, base.outcome, base.probe, base.metrics, None, layers))
    found = table(runs).filter(pl.col("level") == "model", pl.col("measure") == "profile_cosine")
    assert found.select("layer", "head").rows() == [(0, 0), (0, 1), (0, 2), (1, 0)]


def test_a_missing_record_leaves_the_other_seeds():
    runs = [run(1), run(2), run(3, untrained=False)]
    found = table(runs).filter(pl.col("level") == "model", pl.col("measure") == "profile_cosine")
    assert dict(found.select("checkpoint", "n").rows()) == {"untrained": 2, "best": 3}


def shuffled(seed: int, order: list[int]) -> RunTables:
    """Four heads, each with a pattern of its own, in some order, and a little noise."""
    patterns = np.random.default_rng(7).normal(0, 2, (4, 16, 3, 12))
    noise = np.random.default_rng(seed).normal(0, 0.2, patterns.shape)
    return run(seed, of=softmax(patterns[order] + noise))


def test_heads_are_matched_whatever_their_order() -> None:
    orders = {5: [0, 1, 2, 3], 6: [2, 0, 3, 1], 8: [3, 2, 1, 0]}
    found = table([shuffled(s, o) for s, o in orders.items()])
    best = {"checkpoint": "best", "level": "layer"}
    matched = pick(found, **best, measure="matched_cosine")
    indexed = pick(found, **best, measure="indexed_cosine")
    assert matched["head"] is None
    assert matched["value"] > 0.9 > 0.3 > indexed["value"]
    assert matched["lo95"] <= matched["value"] <= matched["hi95"]
    assert matched["null_mean"] < matched["null_hi95"] < matched["value"]
    assert (matched["n"], matched["p"]) == (3, 1 / 200)
    for other in (6, 8):
        rows = found.filter(
            (pl.col("level") == "head") & (pl.col("seed_b") == other)
            & (pl.col("checkpoint") == "best")
        ).sort("head")  # fmt: skip
        assert rows["seed_a"].unique().to_list() == [5]
        assert [orders[other][p] for p in rows["target"]] == [0, 1, 2, 3]
        assert rows["value"].min() > 0.9


def test_independent_heads_are_no_more_alike_than_their_null() -> None:
    found = table([run(s, of=weights(s, (4, 16, 3, 12), sd=2.0)) for s in (1, 2, 3)])
    matched = pick(found, checkpoint="best", level="layer", measure="matched_cosine")
    assert abs(matched["value"]) < 0.2
    assert matched["p"] > 0.05


def test_nothing_is_matched_where_rows_are_unknown_or_alone() -> None:
    averaged = [run(s, probe={"averaged_over": ("sample",)}) for s in (1, 2)]
    for runs in (averaged, [run(1)]):
        assert "layer" not in table(runs)["level"].to_list()


NULL = ["null_mean", "null_hi95", "p", "above_null"]


def test_likeness_of_rows_stands_beside_heads_that_look_at_random_keys() -> None:
    runs = [run(s, of=weights(s, (1, 16, 1, 12), sd=3.0, shared=0.9)) for s in (3, 1, 2)]
    row = pick(table(runs), checkpoint="best", level="model", measure="centred_cosine")
    null = random_likeness(
        [r.final[0].weights[0] for r in runs], runs[0].final[0].support,
        [np.random.default_rng([s, 0, 0]) for s in (3, 1, 2)],
    )  # fmt: skip
    expected = [null.mean(), np.quantile(null, 0.95), 1 / 200, True]
    assert [row[c] for c in NULL] == pytest.approx(expected)
    before = pick(table(runs), checkpoint="untrained", level="model", measure="centred_cosine")
    assert before["above_null"] is False


def test_only_likeness_of_rows_over_all_seeds_has_that_null() -> None:
    found = table([run(s) for s in (1, 2, 3)]).filter(pl.col("null_mean").is_not_null())
    kinds = set(found.select("level", "measure").rows())
    assert kinds == {("model", "centred_cosine"), ("layer", "matched_cosine")}
    mixed = table([run(1), run(2), run(3, of=weights(3, (1, 4, 1, 8)))])
    row = pick(mixed, checkpoint="best", level="model", measure="centred_cosine")
    assert row["value"] is not None
    assert [row[c] for c in NULL] == [None] * 4
