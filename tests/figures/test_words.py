"""What figures say in words and marks: axes, legends, and why something is not drawn."""

from types import ModuleType

import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from attnpipe.figures.gaps import gap, gap_notes
from attnpipe.figures.profile_overlay import MOST
from attnpipe.figures.registry import FIGURES, NEEDS
from attnpipe.figures.seed_lines import MOST as SEEDS
from attnpipe.schema.figure import FigureOptions

MODEL = "lstm_small_simple"


def drawn(
    factory: ModuleType, name: str, plan: object, tables: dict[str, pl.DataFrame], **options: str
) -> Figure:
    needed = {table: tables[table] for table in NEEDS[name]}
    figure = FIGURES.load(name)(needed, factory.figure_context(plan), FigureOptions(**options))
    assert isinstance(figure, Figure)
    return figure


def written(figure: Figure) -> str:
    texts = [t.get_text() for t in figure.texts]
    texts += [t.get_text() for ax in figure.axes for t in ax.texts]
    return " ".join(" ".join(texts).split())


def legend(figure: Figure) -> list[str]:
    return [t.get_text() for box in figure.legends for t in box.get_texts()]


def test_each_entropy_names_what_it_is_divided_by(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    figure = drawn(factory, "entropy", plan, factory.study(plan))
    assert [ax.get_xlabel() for ax in figure.axes] == ["entropy / ln n", "entropy / ln T"]
    said = written(figure)
    assert "never below" not in said
    assert "(additive: of the last query alone) over ln T." in said


@pytest.mark.parametrize("name", ["summary", "forest", "entropy", "seed_similarity", "profiles"])
def test_intervals_are_captioned_with_their_level(factory: ModuleType, name: str) -> None:
    plan = factory.Plan(window=20, epochs=6)
    assert [t for t in legend(drawn(factory, name, plan, factory.study(plan))) if "95 %" in t]


def test_dots_of_the_forest_are_in_the_common_unit(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    figure = drawn(factory, "forest", plan, factory.study(plan))
    assert "one seed (in the common skill unit)" in legend(figure)


def test_variation_tells_its_factor_and_its_row(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    said = written(drawn(factory, "variation", plan, factory.study(plan)))
    assert "times 1 + 1 / (4n) for n seeds" in said
    assert "last query's; scaled dot: the mean over queries)." in said


@pytest.mark.parametrize("models", [4, 8])
def test_likeness_before_training_is_drawn_with_its_interval(
    factory: ModuleType, models: int
) -> None:
    plan = factory.Plan(
        window=20, epochs=2, attention=tuple(f"model_{k}" for k in range(models)), plain=()
    )
    tables = factory.study(plan)
    figure = drawn(factory, "seed_similarity", plan, tables)
    lines = {tuple(map(float, line.get_xdata())) for ax in figure.axes for line in ax.lines}
    before = tables["similarity"].filter(
        (pl.col("level") == "model") & (pl.col("checkpoint") == "untrained")
        & pl.col("measure").is_in(["profile_cosine", "centred_cosine"])
    )  # fmt: skip
    assert before.height == 2 * models
    assert set(before.select("lo95", "hi95").iter_rows()) <= lines
    assert "mean and interval before training" in legend(figure)


@pytest.mark.parametrize("name", ["variation", "seed_similarity", "summary"])
def test_without_a_seed_axis_pairs_of_seeds_are_unknowable(factory: ModuleType, name: str) -> None:
    plan = factory.Plan(window=20, epochs=6, seeds=(7,))
    tables = factory.study(plan)
    assert "unknowable" not in written(drawn(factory, name, plan, tables))
    tables["inventory"] = tables["inventory"].with_columns(has_seeds=pl.lit(False))
    said = written(drawn(factory, name, plan, tables))
    assert "unknowable" in said
    assert "one seed only" not in said
    why = gap(tables, factory.figure_context(plan), MODEL, pairs=True)
    assert why.full == "unknowable: the weights come without a seed axis"


@pytest.mark.parametrize(("lost", "said"), [(4, "1 more model,"), (5, "2 more models,")])
def test_models_without_a_good_run_are_counted_in_grammar(
    factory: ModuleType, lost: int, said: str
) -> None:
    names = tuple(f"model_{k}" for k in range(lost))
    plan = factory.Plan(window=20, epochs=2, attention=names, plain=(), absent=frozenset(names))
    notes = gap_notes(factory.study(plan), factory.figure_context(plan), names)
    assert said in notes[-1]


@pytest.mark.parametrize(("grey", "said"), [(1, "1 more model is"), (2, "2 more models are")])
def test_models_in_grey_are_counted_in_grammar(factory: ModuleType, grey: int, said: str) -> None:
    names = tuple(f"model_{k}" for k in range(MOST + grey))
    plan = factory.Plan(window=20, epochs=2, attention=names, plain=())
    assert f"{said} drawn in grey." in written(
        drawn(factory, "profile_overlay", plan, factory.study(plan))
    )


def test_losses_of_tokens_are_nats_and_of_numbers_shares_of_variance(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    tables = {
        "history": factory.study(plan)["history"],
        "inventory": factory.study(plan)["inventory"],
    }
    for unit, said in (("nats", "nats per token"), ("nT", "units of the target's variance")):
        context = factory.figure_context(plan, target_unit=unit)
        figure = FIGURES.load("loss_curves")(tables, context, FigureOptions())
        assert said in written(figure)


@pytest.mark.parametrize("name", ["entropy", "summary", "profiles", "profile_overlay",
                                  "entropy_over_epochs"])  # fmt: skip
def test_the_legend_has_the_colour_of_the_reference_line(factory: ModuleType, name: str) -> None:
    plan = factory.Plan(window=20, epochs=6)
    figure = drawn(factory, name, plan, factory.study(plan), color="#0072B2")
    ruled = [h for box in figure.legends for h in box.legend_handles
             if "uniform" in h.get_label()]  # fmt: skip
    assert [h.get_color() for h in ruled] == ["#0072B2"]


def test_no_seed_of_a_row_lies_under_its_mean(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    figure = drawn(factory, "forest", plan, factory.study(plan))
    for ax in figure.axes:
        for line in ax.lines:
            if len(line.get_ydata()) == len(plan.seeds) and line.get_linestyle() == "None":
                heights = [float(y) for y in line.get_ydata()]
                assert min(abs(y - round(y)) for y in heights) >= 0.169


def test_the_band_of_the_forest_has_an_outline_where_it_is_thin(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    (band,) = drawn(factory, "forest", plan, factory.study(plan)).axes[0].patches
    assert band.get_linewidth() > 0
    assert band.get_edgecolor() != band.get_facecolor()


def test_costs_that_cannot_be_told_are_not_called_unmeasured(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6, tokens=True)
    tables = factory.study(plan)
    assert tables["compression"].height
    unknown = {c: pl.lit(None, pl.Float64) for c in ("value", "lo95", "hi95", "upper")}
    tables["compression"] = tables["compression"].with_columns(**unknown)
    said = written(drawn(factory, "compression", plan, tables))
    assert "no cost can be told" in said
    assert "was shortened" not in said
    tables["compression"] = tables["compression"].clear()
    assert "no input of this study was shortened" in written(
        drawn(factory, "compression", plan, tables)
    )


def _lines_as_wide_as(width: float, ax: Axes) -> int:
    """Count lines of a width, one by one or drawn together."""
    together = [c for c in ax.collections if isinstance(c, LineCollection)]
    widths = [w for c in together for w in list(c.get_linewidths()) * len(c.get_segments())]
    return [*widths, *(line.get_linewidth() for line in ax.lines)].count(width)


@pytest.mark.parametrize(
    ("name", "series", "width"),
    [("loss_curves", 2, 0.6), ("entropy_over_epochs", 2, 0.6), ("profiles", 1, 0.6),
     ("heads_over_training", 2, 0.9)],
)  # fmt: skip
def test_of_very_many_seeds_the_first_are_drawn_and_the_mean_is_of_all(
    factory: ModuleType, name: str, series: int, width: float
) -> None:
    tokens = {"tokens": True, "heads": 2} if name == "heads_over_training" else {}
    plan = factory.Plan(window=20, epochs=6, seeds=tuple(range(SEEDS + 5)), **tokens)
    figure = drawn(factory, name, plan, factory.study(plan))
    assert f"Of up to {SEEDS + 5} seeds of a model, the first {SEEDS} are drawn." in written(figure)
    thin = [_lines_as_wide_as(width, ax) for ax in figure.axes]
    assert set(thin) <= {0, series * SEEDS}
    assert max(thin) == series * SEEDS
    few = factory.Plan(window=20, epochs=6, **tokens)
    assert "are drawn" not in written(drawn(factory, name, few, factory.study(few)))


def test_an_effect_of_a_model_without_skill_is_not_called_not_run(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=2)
    tables = factory.study(plan)
    assert "not run" not in written(drawn(factory, "gates", plan, tables))
    rows = tables["effects"].filter(pl.col("model") == MODEL)
    of_model = pl.col("model") == MODEL
    in_skill = of_model & (pl.col("metric") == "skill_units")
    unskilled = pl.when(in_skill).then(None).otherwise(pl.col("value")).alias("value")
    loss = rows.filter(pl.col("metric") == "skill_units").with_columns(metric=pl.lit("loss"))
    effects = pl.concat([tables["effects"].with_columns(unskilled), loss])
    said = written(drawn(factory, "gates", plan, tables | {"effects": effects}))
    assert "no skill to measure it by" in said
    assert "not run" not in said
    gone = tables | {"effects": effects.filter(~of_model | (pl.col("code") != "E3"))}
    assert written(drawn(factory, "gates", plan, gone)).count("not run") == 1
