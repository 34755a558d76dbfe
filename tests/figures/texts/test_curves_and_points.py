"""Curves, points and intervals are those of the tables."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Draw = Callable[..., Figure]
ALL_HEADS = pl.col("head").is_null() & pl.col("layer").is_not_null()


def curves(ax: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]


def holds(ax: Axes, wanted: np.ndarray) -> bool:
    return any(len(c) == len(wanted) and np.allclose(c, wanted) for c in curves(ax))


def band(ax: Axes) -> list[tuple[float, float]]:
    """Lowest and highest point of every band."""
    return [
        (float(v[:, 1].min()), float(v[:, 1].max()))
        for c in ax.collections
        for v in [c.get_paths()[0].vertices]
    ]


def test_layer_entropy_shows_rows_left_and_the_published_number_right(
    text_factory: ModuleType, draw: Draw
) -> None:
    left, right = draw("layer_entropy").axes
    summary = text_factory.study()["text_summary"].filter(
        ALL_HEADS & (pl.col("rows") == "last") & pl.col("condition").is_null()
    )
    for ax, metric in ((left, "entropy_normalized"), (right, "published_layer_entropy")):
        for variant in text_factory.PROMPTS:
            own = summary.filter((pl.col("metric") == metric) & (pl.col("variant") == variant))
            own = own.sort("layer")
            assert holds(ax, own["mean"].to_numpy())
            ends = (own["lo95"].min(), own["hi95"].max())
            assert any(np.allclose(found, ends) for found in band(ax))
    assert left.get_ylabel() == "entropy / ln n"
    assert right.get_ylabel() == "entropy (nats)"
    dashes = [line.get_linestyle() for line in right.get_lines()]
    assert set(dashes) == {"-"}  # a dashed one in grey would look like uniform attention


def test_layer_entropy_without_sinks_is_a_view(text_factory: ModuleType, draw: Draw) -> None:
    summary = text_factory.study()["text_summary"].filter(
        ALL_HEADS & (pl.col("condition") == "sinks_removed") & (pl.col("variant") == "cot")
    )
    wanted = summary.filter(pl.col("metric") == "entropy_normalized").sort("layer")["mean"]
    assert holds(draw("layer_entropy", view="sinks_removed").axes[0], wanted.to_numpy())
    assert not holds(draw("layer_entropy").axes[0], wanted.to_numpy())


def test_random_weights_have_a_curve_of_their_own(text_factory: ModuleType, draw: Draw) -> None:
    with_random = draw("layer_entropy", text_factory.Plan(untrained=True))
    assert holds(with_random.axes[0], np.full(6, 0.97))
    assert not holds(draw("layer_entropy").axes[0], np.full(6, 0.97))


def test_few_shot_shows_every_example_overall_and_by_layer(
    text_factory: ModuleType, draw: Draw
) -> None:
    figure = draw("few_shot")
    table = text_factory.study()["segment_summary"].filter(
        pl.col("condition").is_null() & pl.col("span").str.ends_with("_answer")
    )
    mass, relative, *layers = figure.axes
    for ax, measure in ((mass, "mass"), (relative, "mass_relative")):
        of = table.filter((pl.col("measure") == measure) & pl.col("layer").is_null())
        assert of.height == 1 + 2 + 4
        for mean, lo, hi in of.select("mean", "lo95", "hi95").iter_rows():
            assert holds(ax, np.array([mean]))
            assert holds(ax, np.array([lo, hi]))
    assert [ax.get_title("left") for ax in layers] == [
        "1 shot, by layer", "2 shots, by layer", "4 shots, by layer"
    ]  # fmt: skip
    of = table.filter((pl.col("measure") == "mass_relative") & ALL_HEADS)
    third = of.filter((pl.col("variant") == "4_shot") & (pl.col("span") == "shot_3_answer"))
    assert holds(layers[2], third.sort("layer")["mean"].to_numpy())
    assert not holds(layers[1], third.sort("layer")["mean"].to_numpy())


def test_all_examples_together_stand_at_the_left(text_factory: ModuleType, draw: Draw) -> None:
    mass = draw("few_shot").axes[0]
    table = text_factory.study()["segment_summary"].filter(
        (pl.col("span") == "examples_answers") & (pl.col("measure") == "mass")
        & pl.col("layer").is_null() & pl.col("condition").is_null()
    )  # fmt: skip
    left = [
        float(line.get_ydata()[0])
        for line in mass.get_lines()
        if len(line.get_xdata()) == 1 and float(line.get_xdata()[0]) < 0.5
    ]
    assert sorted(left) == pytest.approx(sorted(table["mean"].to_list()))
    assert mass.get_xticklabels()[0].get_text() == "all"


def test_prompt_sensitivity_draws_the_null_and_marks_layers_that_stand_out(
    text_factory: ModuleType, draw: Draw
) -> None:
    figure = draw("prompt_sensitivity")
    table = text_factory.study()["text_contrasts"].filter(pl.col("layer").is_not_null())
    for ax, end in zip(figure.axes, ("", "_sinks_removed", "_found_sinks_removed"), strict=True):
        values = {
            name: table.filter(pl.col("measure") == name + end).sort("layer")
            for name in ("distance", "null_distance", "distance_vs_others")
        }
        assert holds(ax, values["distance"]["mean"].to_numpy())
        assert holds(ax, values["null_distance"]["mean"].to_numpy())
        others = values["distance_vs_others"].filter((pl.col("p_bh") < 0.05) & (pl.col("mean") > 0))
        assert 0 < others.height < 6
        marks = [line for line in ax.get_lines() if line.get_marker() == "^"]
        assert [list(line.get_xdata()) for line in marks] == [others["layer"].to_list()]


def test_the_most_sensitive_layers_are_named_in_their_order(
    text_factory: ModuleType, draw: Draw
) -> None:
    said = " ".join(t.get_text() for t in draw("prompt_sensitivity").texts)
    table = text_factory.study()["text_contrasts"].filter(
        pl.col("layer").is_not_null() & (pl.col("measure") == "distance_found_sinks_removed")
    )
    first, second = table.sort("mean", descending=True)["layer"].to_list()[:2]
    assert f"layers {first} (" in said
    assert said.index(f" {first} (") < said.index(f" {second} (")


def test_answers_have_their_interval_and_count(text_factory: ModuleType, draw: Draw) -> None:
    ax = draw("answers").axes[0]
    table = text_factory.study()["accuracy"]
    lines = [tuple(map(float, line.get_xdata())) for line in ax.get_lines()]
    for row in table.iter_rows(named=True):
        assert (row["lo95"], row["hi95"]) in lines
        assert (row["accuracy"],) in lines
    said = [t.get_text() for t in ax.texts]
    counts = [f"{c} of 8" for c in table["correct"]]
    assert [f"{counts[0]}, 8 no answer", *counts[1:]] == [t for t in said if " of " in t]
    shaded = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (shaded.x0, shaded.x1) == pytest.approx((0.2, 0.8))


def test_unknown_shares_have_their_reason(text_factory: ModuleType, draw: Draw) -> None:
    tables = text_factory.study()
    shares = tables["text_effects"].with_columns(
        pl.lit(None, pl.Float64).alias(c) for c in ("mean", "lo95", "hi95")
    )
    nats = shares.with_columns(metric=pl.lit("nats"), mean=pl.lit(0.1))
    told = nats.head(1).with_columns(
        pl.lit(None, pl.String).alias("code"), pl.lit(None, pl.String).alias("layers"),
        mean=pl.lit(-0.045),
    )  # fmt: skip
    tables["text_effects"] = pl.concat([shares, nats, told])
    said = [t.get_text() for t in draw("answer_effects", tables=tables).texts]
    why = "Unknown where the question is not shown to tell anything (mean −0.045 nats): no share."
    assert why in said
