"""Effects with their intervals, against numpy."""

import numpy as np
import polars as pl
import pytest
from tests.aggregation.builders import UNITS, evaluation

from attnpipe.aggregation.effects import effects
from attnpipe.core.errors import UserError
from attnpipe.stats.two_way import two_way_mean
from attnpipe.tables.effects import EFFECTS
from attnpipe.tables.interventions import INTERVENTIONS

SEEDS = [3, 1, 2, 5, 8]
REPEAT = 4


def evaluations(**models):
    return {
        (model, seed): evaluation(seed, quality, repeat=REPEAT)
        for model, quality in models.items()
        for seed in SEEDS
    }


def intervened(of, name="uniform", factor=1.5, **keys):
    """An intervention that multiplies every loss."""
    rows = of.select(
        "item", "unit", loss=pl.col("loss") * factor, delta=pl.col("loss") * (factor - 1)
    )
    return INTERVENTIONS.conform(
        rows.with_columns(
            model=pl.lit("m"), intervention=pl.lit(name), **{k: pl.lit(v) for k, v in keys.items()}
        )
    )


def interventions(runs, name="uniform", factor=1.5):
    return {
        run: intervened(frame, name, factor).with_columns(seed=pl.lit(run[1], dtype=pl.Int64))
        for run, frame in runs.items()
        if run[0] == "m"
    }


def one(table, **where):
    found = table.filter(
        *(pl.col(k) == v for k, v in {"level": "model", "model": "m", **where}.items())
    )
    assert found.height == 1
    return found.row(0, named=True)


def by_unit(runs, model):
    """Mean losses [seed, unit] in the order of first appearance, and items per unit."""
    units, of = list(dict.fromkeys(UNITS)), np.array(UNITS * REPEAT)
    losses = [runs[model, s]["loss"].to_numpy() for s in sorted(SEEDS)]
    means = np.array([[row[of == unit].mean() for unit in units] for row in losses])
    return means, np.array([UNITS.count(u) for u in units], dtype=float)


def test_arms_and_interventions_are_differences_of_loss() -> None:
    runs = evaluations(m=0.9, base=0.5)
    table = effects(runs, interventions(runs), {"m": {"none": "base"}}, 0.02)
    assert table.schema == EFFECTS.schema
    own, items = by_unit(runs, "m")
    base, _ = by_unit(runs, "base")
    trivial = runs["m", 3]["trivial_loss"].mean()
    for code, lost in (("R0", base - own), ("E2", 0.5 * own)):
        found, want = one(table, code=code, metric="loss"), two_way_mean(lost, items)
        assert found["value"] == pytest.approx(want.value)
        assert (found["lo95"], found["hi95"]) == pytest.approx(want.interval())
        assert (found["lo90"], found["hi90"]) == pytest.approx(want.interval(0.9))
        assert found["n_seeds"] == 5
        units = one(table, code=code, metric="skill_units")
        skilled = trivial - float((own @ items / items.sum()).mean())
        assert units["value"] == pytest.approx(want.value / skilled)
        assert units["margin"] == 0.02
        assert found["margin"] == pytest.approx(0.02 * skilled)
        seeds = table.filter(
            (pl.col("level") == "seed") & (pl.col("code") == code) & (pl.col("metric") == "loss")
        )
        np.testing.assert_allclose(seeds.sort("seed")["value"], lost @ items / items.sum())
    assert one(table, code="E2", metric="log_ratio")["value"] == pytest.approx(np.log(1.5))
    of_means = one(table, code="E2", metric="log_of_means")
    assert of_means["value"] == pytest.approx(np.log(1.5))
    loss = trivial - skilled
    assert np.exp(of_means["margin"]) == pytest.approx((loss + 0.02 * skilled) / loss)
    assert of_means["p_claim"] < 1e-6
    assert not len(table.filter(pl.col("metric") == "log_of_means", kind="arm"))


def test_what_a_model_still_loses_when_trained_further_stands_beside_the_codes() -> None:
    runs = evaluations(m=0.9)
    frozen, further = (
        interventions(runs, name, factor)
        for name, factor in (("uniform", 1.5), ("uniform_finetuned", 1.1))
    )
    both = {run: pl.concat([frozen[run], further[run]]) for run in frozen}
    table = effects(runs, both, {}, 0.02)
    found = {
        name: one(table, name=name, metric="skill_units")
        for name in ("uniform", "uniform_finetuned")
    }
    assert [row["code"] for row in found.values()] == ["E2", None]
    assert found["uniform_finetuned"]["kind"] == "intervention"
    assert found["uniform_finetuned"]["value"] == pytest.approx(found["uniform"]["value"] / 5)
    assert found["uniform_finetuned"]["hi95"] is not None


def test_an_effect_beyond_doubt_has_a_small_p_and_no_effect_a_large_one() -> None:
    runs = evaluations(m=0.9, bad=0.2, same=0.9)
    runs |= {("same", s): evaluation(s + 100, 0.9, repeat=REPEAT) for s in SEEDS}
    table = effects(runs, {}, {"m": {"none": "bad", "uniform": "same"}}, 0.02)
    assert one(table, code="R0", metric="loss")["p"] < 0.05
    assert one(table, code="R1", metric="loss")["p"] > 0.05
    # At 2 % the 90 % interval lies inside the margins already; at a tenth of that it does not.
    assert one(table, code="R1", metric="skill_units")["seeds_needed"] <= 5
    finer = effects(runs, {}, {"m": {"uniform": "same"}}, 0.002)
    assert one(finer, code="R1", metric="skill_units")["seeds_needed"] > 5


def test_p_is_adjusted_over_models() -> None:
    runs = evaluations(m=0.9, n=0.8, base=0.5)
    table = effects(runs, {}, {"m": {"none": "base"}, "n": {"none": "base"}}, 0.02)
    of = table.filter(
        (pl.col("code") == "R0") & (pl.col("metric") == "loss") & (pl.col("level") == "model")
    )
    p, adjusted = of["p"].to_list(), of["p_holm"].to_list()
    low, high = sorted(p)
    assert sorted(adjusted) == pytest.approx([2 * low, max(2 * low, high)])


def step_up(p: np.ndarray, factor: float) -> list[float]:
    """Return p adjusted over m tests: the least of factor · m · p₍ⱼ₎/j over j from p's own rank."""
    ranked = np.sort(p)
    levels = factor * len(p) * ranked / np.arange(1, len(p) + 1)
    return [min(1.0, levels[np.searchsorted(ranked, own) :].min()) for own in p]


def test_p_in_single_layers_is_adjusted_over_the_layers_one_intervention_at_a_time() -> None:
    """Nothing else is in the family: neither other interventions nor the model as a whole."""
    runs, rng = evaluations(m=0.9), np.random.default_rng(3)
    shifts = {"output_mean": (0.02, 0.3, 0.1), "permuted": (0.0, 0.05, 0.2)}
    found = {}
    for run, frame in runs.items():
        parts = []
        for name, by_layer in shifts.items():
            for layer, shift in enumerate(by_layer):
                noise = pl.Series(shift + rng.uniform(0, 0.3, len(frame)))
                parts.append(intervened(frame.with_columns(pl.col("loss") + noise), name, 1.0,
                                        layer=layer))  # fmt: skip
            parts.append(intervened(frame, name, 1.5))
        found[run] = pl.concat(parts).with_columns(seed=pl.lit(run[1], dtype=pl.Int64))
    table = effects(runs, found, {}, 0.02).filter(level="model", metric="skill_units")
    layer = pl.col("layer")
    assert table.filter(layer.is_null())["p_bh"].null_count() == len(shifts)
    for name in shifts:
        of = table.filter(layer.is_not_null(), name=name).sort("layer")
        p = of["p"].to_numpy()
        assert len(np.unique(p)) == 3
        assert of["p_bh"].to_list() == pytest.approx(step_up(p, 1.0))
        assert of["p_by"].to_list() == pytest.approx(step_up(p, 1 + 1 / 2 + 1 / 3))
        assert of["code"].null_count() == 3


def test_copies_of_a_run_count_once() -> None:
    runs = evaluations(m=0.9, base=0.5)
    runs["m", 8] = runs["m", 3]
    table = effects(runs, interventions(runs), {"m": {"none": "base"}}, 0.02)
    assert one(table, code="E2", metric="loss")["n_seeds"] == 4
    assert one(table, code="R0", metric="loss")["n_seeds"] == 4


def test_seeds_without_counterpart_are_left_out_and_absent_arms_have_no_value() -> None:
    runs = evaluations(m=0.9, base=0.5)
    runs["base", 5] = runs["base", 5].clear()
    table = effects(runs, {}, {"m": {"none": "base", "static": "gone"}}, 0.02)
    assert one(table, code="R0", metric="loss")["n_seeds"] == 4
    gone = one(table, code="R2", metric="skill_units")
    assert (gone["value"], gone["n_seeds"], gone["against"]) == (None, 0, "gone")


def test_heads_removed_in_random_orders_are_averaged_over_draws() -> None:
    runs = evaluations(m=0.9)
    found = {
        run: pl.concat([
            intervened(frame, "random_heads", factor, layer=layer, head=1, removed=2, draw=draw)
            .with_columns(seed=pl.lit(run[1], dtype=pl.Int64))
            for draw, (factor, layer) in enumerate([(1.5, 0), (2.5, 1)])
        ])
        for run, frame in runs.items()
    }  # fmt: skip
    row = one(effects(runs, found, {}, 0.02), name="random_heads", metric="log_ratio")
    assert row["value"] == pytest.approx(np.log(2.0))
    assert (row["removed"], row["layer"], row["code"]) == (2, None, None)


def test_nothing_trained_gives_rows_without_values() -> None:
    table = effects({("m", 1): evaluation(1).clear()}, {}, {"m": {"none": "base"}}, 0.02)
    assert one(table, code="R0")["value"] is None


def test_other_units_are_refused() -> None:
    runs = evaluations(m=0.9)
    found = {k: v.with_columns(unit=pl.lit("z")) for k, v in interventions(runs).items()}
    with pytest.raises(UserError, match="units of intervention 'uniform' are not those"):
        effects(runs, found, {}, 0.02)


def test_an_arm_that_is_the_model_under_another_name_is_no_evidence() -> None:
    runs = evaluations(m=0.9)
    runs |= {("copy", s): runs["m", s] for s in SEEDS}
    table = effects(runs, {}, {"m": {"none": "copy"}}, 0.02)
    found = one(table, code="R0", metric="skill_units")
    assert (found["value"], found["n_seeds"], found["copies"]) == (None, 0, 5)


def test_one_copied_seed_of_an_arm_leaves_the_others() -> None:
    runs = evaluations(m=0.9, base=0.5)
    runs["base", 8] = runs["m", 8]
    found = one(effects(runs, {}, {"m": {"none": "base"}}, 0.02), code="R0", metric="skill_units")
    assert (found["n_seeds"], found["copies"]) == (4, 1)
    without = {run: of for run, of in runs.items() if run[1] != 8}
    wanted = one(
        effects(without, {}, {"m": {"none": "base"}}, 0.02), code="R0", metric="skill_units"
    )
    assert found["value"] == wanted["value"]


def test_a_model_with_equal_weights_is_its_own_uniform_arm() -> None:
    runs = evaluations(m=0.9)
    found = one(effects(runs, {}, {"m": {"uniform": "m"}}, 0.02), code="R1", metric="skill_units")
    assert (found["value"], found["n_seeds"], found["copies"]) == (0.0, 5, 0)


@pytest.mark.parametrize(
    ("acted", "factor", "arm", "counted"),
    [
        ("uniform", 1.0, "uniform", 5),
        ("position_mean", 1.0, "static", 5),
        ("uniform", 1.1, "uniform", 0),
        ("uniform", 1.0, "static", 0),
        ("position_mean", 1.0, "uniform", 0),
        ("uniform", 1.0, "none", 0),
    ],
)
def test_an_arm_may_agree_with_a_model_that_computes_the_same(
    acted: str, factor: float, arm: str, counted: int
) -> None:
    """One key per row: weights are 1 in both, and both are trained alike."""
    runs = evaluations(m=0.9)
    runs |= {("arm", s): runs["m", s] for s in SEEDS}
    table = effects(runs, interventions(runs, acted, factor), {"m": {arm: "arm"}}, 0.02)
    found = one(table, kind="arm", metric="skill_units")
    assert (found["n_seeds"], found["copies"]) == (counted, 5 - counted)
    assert found["value"] == (0.0 if counted else None)


def test_equal_weights_at_some_seeds_excuse_no_copy_at_others() -> None:
    runs = evaluations(m=0.9)
    runs |= {("arm", s): runs["m", s] for s in SEEDS}
    acted = interventions(runs, factor=1.0)
    last = acted["m", 8]
    one_item = pl.when(pl.col("item") == last["item"].max()).then(1e-300).otherwise(0.0)
    acted["m", 8] = last.with_columns(delta=one_item)
    found = one(
        effects(runs, acted, {"m": {"uniform": "arm"}}, 0.02), code="R1", metric="skill_units"
    )
    assert (found["n_seeds"], found["copies"]) == (4, 1)


def test_the_p_of_a_claim_says_what_its_interval_says() -> None:
    """Beyond the margin by the 95 % interval, inside by the 90 % one, p adjusted over models."""
    runs = evaluations(m=0.9, n=0.7, bad=0.2, same=0.9)
    runs |= {("same", s): evaluation(s + 100, 0.9, repeat=REPEAT) for s in SEEDS}
    arms = {"m": {"none": "bad", "uniform": "same"}, "n": {"none": "bad"}}
    for delta in (0.005, 0.02, 0.1, 0.4, 1.0, 3.0):
        table = effects(runs, {}, arms, delta).filter(
            (pl.col("level") == "model") & (pl.col("metric") == "skill_units")
        )
        for row in table.iter_rows(named=True):
            beyond = row["lo95"] > delta or row["hi95"] < -delta
            inside = -delta < row["lo90"] and row["hi90"] < delta
            assert (row["p_claim"] < 0.05) == (beyond or inside)
        of = table.filter(pl.col("code") == "R0")
        low, high = sorted(of["p_claim"])
        assert sorted(of["p_claim_holm"]) == pytest.approx(
            [min(2 * low, 1), min(max(2 * low, high), 1)]
        )


def test_seeds_needed_are_asked_for_the_margin_that_a_gate_has() -> None:
    """An intervention far below δ needs few seeds, even where it lies near −δ."""
    runs = evaluations(m=0.9)
    helped = interventions(runs, factor=0.99)
    own, items = by_unit(runs, "m")
    trivial = runs["m", 3]["trivial_loss"].mean()
    value = -0.01 * float((own @ items / items.sum()).mean())
    delta = 1.02 * abs(value) / (trivial + 100 * value)
    found = one(effects(runs, helped, {}, delta), code="E2", metric="skill_units")
    assert found["value"] == pytest.approx(-delta / 1.02)
    assert found["seeds_needed"] < 5
