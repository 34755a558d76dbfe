import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from tests.aggregation.builders import UNITS, evaluation

from attnpipe.aggregation.contrast import contrast, in_order
from attnpipe.core.errors import UserError
from attnpipe.schema.analysis import AnalysisSpec, ContrastSpec
from attnpipe.stats.effect_size import hedges_g
from attnpipe.stats.estimate import mean_over_seeds
from attnpipe.stats.sign_flip import sign_flip_test
from attnpipe.stats.two_way import two_way_mean
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.study import COMPARISONS

OPTIONS = ContrastSpec(accuracy_threshold=0.5, delta=0.02)
SEEDS = (1, 2, 3)
BASELINES = {"base": None, "good": "base"}


def study(seeds=SEEDS, **settings):
    runs = {("base", s): evaluation(s, 0.6, **settings) for s in seeds}
    return runs | {("good", s): evaluation(s, 0.9, **settings) for s in seeds}


@pytest.fixture(scope="module")
def table():
    return contrast(study(), BASELINES, OPTIONS)


def pick(frame, **where):
    rows = frame.filter(*(pl.col(name) == value for name, value in where.items()))
    assert rows.height == 1, where
    return rows.row(0, named=True)


def naive_scores(rows, targets_mean=None):
    """Scores of some rows of an evaluation, by loops."""
    n = len(rows)
    mean = sum(r["target"] for r in rows) / n
    mse = sum((r["target"] - r["prediction"]) ** 2 for r in rows) / n
    return {
        "loss": mse,
        "rmse": mse**0.5,
        "mae": sum(abs(r["target"] - r["prediction"]) for r in rows) / n,
        "r2": 1 - mse / (sum((r["target"] - mean) ** 2 for r in rows) / n),
        "accuracy": sum(abs(r["target"] - r["prediction"]) < 0.5 for r in rows) / n,
        "skill": 1 - mse / (sum(r["trivial_loss"] for r in rows) / n),
    }


METRICS = ("loss", "rmse", "mae", "r2", "accuracy", "skill")


@pytest.mark.parametrize("metric", METRICS)
def test_scores_of_seeds_units_and_models_match_loops(table, metric):
    runs = study()
    for model in BASELINES:
        by_seed = []
        for seed in SEEDS:
            score = naive_scores(runs[model, seed].to_dicts())[metric]
            by_seed.append(score)
            row = pick(table, level="seed", model=model, seed=seed, metric=metric)
            assert row["value"] == pytest.approx(score)
            assert (row["n_seeds"], row["n_units"]) == (1, 4)
        row = pick(table, level="model", model=model, metric=metric)
        assert row["value"] == pytest.approx(sum(by_seed) / 3)
        assert (row["n_seeds"], row["n_units"]) == (3, 4)
        for unit in set(UNITS):
            per_seed = [
                naive_scores(runs[model, s].filter(pl.col("unit") == unit).to_dicts())[metric]
                for s in SEEDS
            ]
            row = pick(table, level="unit", model=model, unit=unit, metric=metric)
            assert row["value"] == pytest.approx(sum(per_seed) / 3)
            assert (row["n_seeds"], row["n_units"]) == (3, 1)


@pytest.mark.parametrize("metric", ["loss", "rmse", "mae", "r2", "accuracy"])
def test_gain_is_exactly_the_difference_of_the_models_scores(table, metric):
    ours, base = (pick(table, level="model", model=m, metric=metric) for m in ("good", "base"))
    sign = 1 if metric in ("r2", "accuracy") else -1
    gain = pick(table, level="gain", metric=metric)
    assert gain["value"] == pytest.approx(sign * (ours["value"] - base["value"]))


def test_gain_in_skill_units_is_the_share_of_the_models_own_skill(table):
    trivial = naive_scores(study()["base", 1].to_dicts())
    trivial = trivial["loss"] / (1 - trivial["skill"])
    ours, base = (pick(table, level="model", model=m, metric="loss") for m in ("good", "base"))
    expected = (base["value"] - ours["value"]) / (trivial - ours["value"])
    assert pick(table, level="gain", metric="skill_units")["value"] == pytest.approx(expected)


def test_skill_level_is_the_pooled_skill_with_an_interval_over_seeds_and_units(table):
    row = pick(table, level="skill", model="good")
    model = pick(table, level="model", model="good", metric="skill")
    assert row["value"] == pytest.approx(model["value"])
    assert row["baseline"] == "trivial"
    assert row["lo95"] < row["value"] < row["hi95"]
    assert (row["n_seeds"], row["n_units"]) == (3, 4)


def unit_matrix(runs, model, column):
    """Mean per seed and unit, in order of first appearance."""
    units = list(dict.fromkeys(UNITS))
    return np.array([
        [runs[model, s].filter(pl.col("unit") == u)[column].mean() for u in units] for s in SEEDS
    ])  # fmt: skip


@pytest.mark.parametrize("model", BASELINES)
def test_skill_has_one_interval_at_both_levels(table, model):
    at_skill = pick(table, level="skill", model=model)
    at_model = pick(table, level="model", model=model, metric="skill")
    assert at_skill | {"level": "model", "baseline": None} == at_model


@pytest.mark.parametrize(
    ("metric", "column"), [("loss", "loss"), ("mae", "error"), ("rmse", "loss")]
)
def test_scores_of_models_have_the_interval_over_seeds_and_units(metric, column):
    # Weak forecasts: what a unit's targets are matters more than the seed.
    items = np.array([4.0, 2, 2, 2])
    runs = {("good", s): evaluation(s, 0.1) for s in SEEDS}
    table = contrast(runs, {"good": None}, OPTIONS)
    errors = {run: frame.with_columns(error=(pl.col("target") - pl.col("prediction")).abs())
              for run, frame in runs.items()}  # fmt: skip
    values = unit_matrix(errors, "good", column)
    if metric == "rmse":  # linear in the losses of units around the root of each seed
        roots = np.sqrt(values @ items / 10)[:, None]
        values = roots + (values - roots**2) / (2 * roots)
    expected = two_way_mean(values, items)
    row = pick(table, level="model", model="good", metric=metric)
    assert (row["lo95"], row["hi95"]) == pytest.approx(expected.interval(0.95))
    assert row["df"] == pytest.approx(expected.df)
    lo, hi = mean_over_seeds(values @ items / 10).interval(0.95)
    assert row["hi95"] - row["lo95"] > 1.2 * (hi - lo)


def test_mse_gain_is_the_two_way_mean_of_paired_differences(table):
    runs = study()
    difference = unit_matrix(runs, "base", "loss") - unit_matrix(runs, "good", "loss")
    items = np.array([4.0, 2, 2, 2])
    expected = two_way_mean(difference, items)
    row = pick(table, level="gain", metric="loss")
    assert (row["lo95"], row["hi95"]) == pytest.approx(expected.interval(0.95))
    assert (row["lo90"], row["hi90"]) == pytest.approx(expected.interval(0.90))
    assert row["df"] == pytest.approx(expected.df)
    by_seed = difference @ items / 10
    assert row["hedges_g"] == pytest.approx(hedges_g(by_seed))
    assert (row["p_sign_flip"], row["p_smallest"]) == (sign_flip_test(by_seed).p, 0.25)


def test_margins_are_in_the_units_of_the_value(table):
    mse, units = (pick(table, level="gain", metric=m) for m in ("loss", "skill_units"))
    assert units["margin"] == 0.02
    assert mse["margin"] == pytest.approx(0.02 * mse["value"] / units["value"])
    assert {mse["equivalence"], units["equivalence"]} <= {"yes", "no", "unknown"}
    others = table.filter(
        (pl.col("level") != "gain") | ~pl.col("metric").is_in(["loss", "skill_units"])
    )
    assert others["margin"].null_count() == others["equivalence"].null_count() == others.height


def test_result_has_the_schema_and_no_nan(table):
    assert dict(table.schema) == COMPARISONS.schema
    for column in table.select(pl.selectors.float()):
        assert not column.is_nan().any()


def test_the_level_of_intervals_is_no_setting():
    with pytest.raises(ValidationError, match="confidence"):
        ContrastSpec.model_validate({"accuracy_threshold": 0.5, "confidence": 0.9})
    options = {"contrast": {"accuracy_threshold": 0.5}}
    AnalysisSpec.model_validate(options)
    with pytest.raises(ValidationError, match="similarity"):
        AnalysisSpec.model_validate(options | {"similarity": {"confidence": 0.9}})


def test_swapping_model_and_baseline_mirrors_the_gain(table):
    swapped = contrast(study(), {"base": "good", "good": None}, OPTIONS)
    for metric in ("loss", "rmse", "mae", "r2", "accuracy"):
        a, b = pick(table, level="gain", metric=metric), pick(swapped, level="gain", metric=metric)
        assert a["value"] == pytest.approx(-b["value"])
        assert (a["lo95"], a["hi95"]) == pytest.approx((-b["hi95"], -b["lo95"]))
        assert a["p_sign_flip"] == b["p_sign_flip"]


def test_units_of_the_target_do_not_change_what_is_relative(table):
    scaled = {
        run: frame.with_columns(
            pl.col("target", "prediction") * 10, pl.col("loss", "trivial_loss") * 100
        )
        for run, frame in study().items()
    }
    other = contrast(scaled, BASELINES, ContrastSpec(accuracy_threshold=5.0, delta=0.02))
    for metric, factor in (("loss", 100), ("rmse", 10), ("r2", 1), ("skill_units", 1)):
        a, b = pick(table, level="gain", metric=metric), pick(other, level="gain", metric=metric)
        for column in ("value", "lo95", "hi95"):
            assert b[column] == pytest.approx(factor * a[column])
        assert a["equivalence"] == b["equivalence"]


def test_order_of_items_does_not_matter(table):
    shuffled = {run: frame.sample(fraction=1, shuffle=True, seed=run[1])
                for run, frame in study().items()}  # fmt: skip
    assert contrast(shuffled, BASELINES, OPTIONS).equals(table)


def test_accuracy_threshold_is_exclusive():
    frame = evaluation(1).with_columns(prediction=pl.col("target") + 0.5)
    rounded = frame.with_columns(target=pl.lit(1.0), prediction=pl.lit(1.5))
    result = contrast({("base", 1): rounded}, {"base": None}, OPTIONS)
    assert pick(result, level="seed", metric="accuracy")["value"] == 0.0


def test_practically_identical_forecasts_are_equivalent_by_evidence():
    runs = study()
    nearly = {
        ("good", s): runs["base", s].with_columns(pl.col("loss") * (1 + 1e-6 * (s - 2.5)))
        for s in SEEDS
    }
    row = pick(contrast(runs | nearly, BASELINES, OPTIONS), level="gain", metric="skill_units")
    assert [row["value"], row["lo95"], row["hi95"]] == pytest.approx([0.0, 0.0, 0.0], abs=1e-4)
    assert row["equivalence"] == "yes"


def test_a_clear_gain_is_not_equivalent():
    runs = study(repeat=30)
    row = pick(contrast(runs, BASELINES, OPTIONS), level="gain", metric="skill_units")
    assert row["equivalence"] == "no"
    assert row["lo95"] > row["margin"]


# ------------------------------------------------------------------ what is missing


def test_one_seed_has_values_and_no_intervals():
    result = contrast(study(seeds=(1,)), BASELINES, OPTIONS)
    assert result["value"].null_count() == 0
    for column in ("lo95", "hi95", "lo90", "hi90", "df", "hedges_g", "p_sign_flip", "p_smallest"):
        assert result[column].null_count() == result.height
    assert pick(result, level="gain", metric="loss")["equivalence"] == "unknown"


def test_one_unit_has_values_and_no_two_way_intervals():
    result = contrast(study(units=["only"] * 10), BASELINES, OPTIONS)
    assert pick(result, level="gain", metric="loss")["lo95"] is None
    assert pick(result, level="skill", model="good")["lo95"] is None
    assert pick(result, level="model", model="good", metric="loss")["lo95"] is None
    assert result["value"].null_count() == 0


def test_a_diverged_seed_of_the_baseline_leaves_the_common_seeds(table):
    whole = study()
    del whole["base", 2]
    empty = study() | {("base", 2): EVALUATION.frame()}
    broken = study()
    broken["base", 2] = broken["base", 2].with_columns(loss=pl.lit(float("nan")))
    expected = contrast(
        {run: f for run, f in study().items() if run[1] != 2}, BASELINES, OPTIONS
    ).filter(pl.col("level") == "gain")
    for runs in (whole, empty, broken):
        result = contrast(runs, BASELINES, OPTIONS)
        assert result.filter(pl.col("level") == "gain").equals(expected)
        assert pick(result, level="model", model="base", metric="loss")["n_seeds"] == 2
        assert pick(result, level="model", model="good", metric="loss")["n_seeds"] == 3
    assert pick(table, level="gain", metric="loss")["n_seeds"] == 3
    assert expected["n_seeds"].to_list() == [2] * 6


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_predictions_that_are_not_finite_give_a_null_score_and_spoil_nothing(value):
    runs = study()
    runs["good", 3] = runs["good", 3].with_columns(prediction=pl.lit(value), loss=pl.lit(value))
    result = contrast(runs, BASELINES, OPTIONS)
    assert pick(result, level="seed", model="good", seed=3, metric="mae")["value"] is None
    assert pick(result, level="model", model="good", metric="mae")["n_seeds"] == 2
    without = {run: f for run, f in runs.items() if run != ("good", 3)}
    units = (pl.col("level") == "unit") & (pl.col("model") == "good")
    assert result.filter(units).equals(contrast(without, BASELINES, OPTIONS).filter(units))


def test_no_common_seed_gives_rows_without_value():
    runs = {("base", 1): evaluation(1, 0.6), ("good", 2): evaluation(2, 0.9)}
    gains = contrast(runs, BASELINES, OPTIONS).filter(pl.col("level") == "gain")
    assert gains.height == 6
    assert gains["value"].null_count() == 6
    assert gains["n_seeds"].to_list() == [0] * 6


@pytest.mark.parametrize("missing", [["base"], ["good"], ["base", "good"]])
def test_a_model_without_any_run_leaves_a_named_gap(missing):
    runs = {run: frame for run, frame in study().items() if run[0] not in missing}
    result = contrast(runs, BASELINES, OPTIONS)
    gains = result.filter(pl.col("level") == "gain")
    assert gains["metric"].to_list() == ["loss", "rmse", "mae", "r2", "accuracy", "skill_units"]
    assert gains["value"].null_count() == 6
    assert dict(result.schema) == COMPARISONS.schema


def test_a_model_without_skill_has_no_skill_units_and_no_margin():
    runs = {(m, s): evaluation(s, 0.5, shift=20.0 + (m == "good"))
            for m in BASELINES for s in SEEDS}  # fmt: skip
    result = contrast(runs, BASELINES, OPTIONS)
    units, mse = (pick(result, level="gain", metric=m) for m in ("skill_units", "loss"))
    assert (units["value"], units["margin"], units["equivalence"]) == (None, None, None)
    assert (mse["margin"], mse["equivalence"]) == (None, None)
    assert mse["value"] < 0


def test_a_constant_target_has_no_r2_and_a_perfect_trivial_predictor_no_skill():
    runs = {
        run: frame.with_columns(
            target=pl.lit(1.0), loss=(1.0 - pl.col("prediction")) ** 2, trivial_loss=pl.lit(0.0)
        )
        for run, frame in study().items()
    }
    result = contrast(runs, BASELINES, OPTIONS)
    undefined = result.filter(pl.col("metric").is_in(["r2", "skill", "skill_units"]))
    assert undefined["value"].null_count() == undefined.height
    assert pick(result, level="gain", metric="loss")["value"] is not None


def test_other_test_windows_are_named():
    runs = study()
    runs["good", 2] = runs["good", 2].with_columns(target=pl.col("target") + 1)
    with pytest.raises(UserError, match="'good/seed-2' are not those of 'base/seed-1'"):
        contrast(runs, BASELINES, OPTIONS)
    runs["good", 2] = runs["good", 2].head(5)
    with pytest.raises(UserError, match="run the extract stage of both again"):
        contrast(runs, BASELINES, OPTIONS)


def test_an_evaluation_of_an_unknown_model_is_named():
    with pytest.raises(UserError, match="model 'good' has an evaluation"):
        contrast(study(), {"base": None}, OPTIONS)


def test_models_keep_the_order_of_the_config():
    result = contrast(study(), {"good": "base", "base": None}, OPTIONS)
    assert result["model"].unique(maintain_order=True).to_list() == ["good", "base"]


def test_a_copied_seed_counts_once():
    runs = study((1, 2, 3, 4))
    alone = contrast({run: of for run, of in runs.items() if run[1] != 4}, BASELINES, OPTIONS)
    runs |= {(model, 4): runs[model, 1] for model in BASELINES}
    doubled = contrast(runs, BASELINES, OPTIONS)
    for level in ("model", "skill", "gain"):
        where = (pl.col("level") == level) & (pl.col("model") == "good")
        assert doubled.filter(where).equals(alone.filter(where))


def test_a_baseline_that_is_the_model_under_another_name_is_no_comparison():
    runs = study()
    runs |= {("good", seed): runs["base", seed] for seed in SEEDS}
    row = pick(contrast(runs, BASELINES, OPTIONS), level="gain", metric="skill_units")
    assert (row["value"], row["n_seeds"]) == (None, 0)


def test_baselines_sorted_by_name_take_the_order_of_the_runs_again():
    models = ["zebra", "zebra", "ant", "ant", "none-1a"]
    found = in_order({"ant": "zebra", "none-1a": None, "zebra": None}, models)
    assert list(found.items()) == [("zebra", None), ("ant", "zebra"), ("none-1a", None)]
