"""Every figure is drawn for every kind of study, and stays readable."""

import os
import subprocess
import sys
from dataclasses import replace
from types import ModuleType
from typing import get_args

import matplotlib
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from attnpipe.figures.context import FigureContext, figure_context
from attnpipe.figures.registry import FIGURES, NEEDS, SHORTENED, WINDOWS
from attnpipe.figures.save import save_png, save_svg
from attnpipe.schema.figure import Diverging, FigureOptions, FigureSpec, Sequential, StyleSpec

SMALL = {"window": 20, "epochs": 6}
ALL = frozenset(
    {"lstm_small_simple", "lstm_medium_simple", "lstm_medium_additive", "lstm_medium_scaled_dot"}
)
CASES = {
    "one seed": {"seeds": (7,)},
    "gaps": {
        "absent": frozenset({"lstm_medium_simple"}),
        "diverged": frozenset({("lstm_small_simple", 42), ("lstm_medium_additive", 7)}),
        "identical": frozenset({("lstm_small_simple", 123)}),
        "last_epoch_final": frozenset({94}),
        "unknowable": frozenset({"lstm_medium_additive"}),
    },
    "odd labels, four heads": {
        "heads": 4,
        "labels": {
            "lstm_small_simple": "_A label that is very long indeed and has no end " * 3,
            "lstm_medium_simple": "<b>$\\frac{1}{2}$ & \x07\n注意</b>",
        },
    },
    "tokens": {"tokens": True, "heads": 4, "seeds": (0, 1, 2)},
    "not trained here": {"trained": False, "unknowable": ALL, "plain": ()},
    "all runs missing": {"absent": ALL},
    "no attention": {"attention": ()},
}  # fmt: skip
SAID = {
    ("profiles", "gaps"): ["no run found of 5 seeds"],
    ("entropy", "gaps"): [
        "unknowable", "averaged before they were saved", "seed 123 is a copy of",
    ],
    ("entropy_over_epochs", "gaps"): ["rows: unknowable"],
    ("epoch_heatmaps", "all runs missing"): ["no weights of training epochs are stored"],
    ("epoch_heatmaps", "gaps"): ["nothing stored for seed 7; there is for seed 42"],
    ("variation", "one seed"): ["needs two seeds: there is one"],
    ("seed_similarity", "one seed"): ["one seed only"],
    ("loss_curves", "not trained here"): ["were not trained here"],
    ("loss_curves", "gaps"): ["last epoch of a run that did not end well"],
    ("forest", "not trained here"): ["no forecasts"],
    ("forest", "gaps"): ["seed 42 diverged (the loss became NaN in epoch 3)", "no good run"],
    ("summary", "not trained here"): ["no forecasts", "that of profiles"],
    ("entropy", "odd labels, four heads"): ["Mean over up to 4 layers × heads"],
}  # fmt: skip
BUSIEST = {"profiles", "seed_similarity", "summary", "forest"}
PANELS = {"profiles", "loss_curves", "variation", "entropy_over_epochs", "epoch_heatmaps"}


def drawn(factory: ModuleType, name: str, plan: object, **changes: object) -> Figure:
    tables = factory.study(plan)
    needed = {table: tables[table] for table in NEEDS[name]}
    figure = FIGURES.load(name)(needed, factory.figure_context(plan, **changes), FigureOptions())
    assert isinstance(figure, Figure)
    return figure


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize(
    ("name", "case"),
    [
        (n, c)
        for n in (*WINDOWS, *SHORTENED)
        for c in CASES
        if c != "not trained here" or (n, c) in SAID
    ],
)
def test_is_drawn_without_overlapping_or_cut_text_and_names_its_gaps(
    factory: ModuleType, readable: ModuleType, name: str, case: str
) -> None:
    plan = factory.Plan(**SMALL | CASES[case])
    style = StyleSpec()
    figure = drawn(factory, name, plan, style=style)
    said = readable.assert_readable(figure, style)
    assert readable.unnamed_axes(figure) == []
    assert [words for words in SAID.get((name, case), []) if words not in said] == []


@pytest.mark.parametrize(
    "name", [n if n in BUSIEST else pytest.param(n, marks=pytest.mark.slow) for n in WINDOWS]
)
def test_thirty_models_of_twenty_seeds_stay_readable(
    factory: ModuleType, readable: ModuleType, name: str
) -> None:
    style = StyleSpec()
    figure = drawn(factory, name, factory.wide(), style=style)
    said = readable.assert_readable(figure, style)
    entries = [t for legend in figure.legends for t in legend.get_texts()]
    assert len(entries) <= 16
    if name in PANELS:
        assert len(figure.axes) <= 2 * 24
        assert "The first 24 of" in said


@pytest.mark.parametrize("name", ["entropy", "forest", "summary"])
def test_larger_text_on_a_sheet_of_the_same_width_does_not_overlap(
    factory: ModuleType, readable: ModuleType, name: str
) -> None:
    style = StyleSpec(width_px=1600, dpi=240)
    readable.assert_readable(drawn(factory, name, factory.Plan(), style=style), style)


def test_a_file_does_not_depend_on_which_is_written_first(factory: ModuleType) -> None:
    style = StyleSpec()
    first, second = (drawn(factory, "entropy", factory.Plan()) for _ in range(2))
    png, svg = save_png(first, style), save_svg(first, style)
    assert (save_svg(second, style), save_png(second, style)) == (svg, png)


def test_figures_ignore_the_settings_of_the_machine(factory: ModuleType) -> None:
    style = StyleSpec()
    plain = save_png(drawn(factory, "entropy", factory.Plan()), style)
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30}):
        assert save_png(drawn(factory, "entropy", factory.Plan()), style) == plain


@pytest.mark.parametrize("name", [*WINDOWS, *SHORTENED])
def test_full_study_is_readable_and_the_same_bytes_in_any_order_of_rows(
    factory: ModuleType, readable: ModuleType, name: str
) -> None:
    plan = factory.Plan(seeds=(7, 42, 94), **SMALL)
    tables = {k: factory.study(plan)[k] for k in NEEDS[name]}
    shuffled = {k: t.sample(fraction=1.0, shuffle=True, seed=1) for k, t in tables.items()}
    context = factory.figure_context(plan)
    one, two = (FIGURES.load(name)(t, context, FigureOptions()) for t in (tables, shuffled))
    assert save_png(one, context.style) == save_png(two, context.style)
    readable.assert_readable(one, context.style)
    svg = save_svg(one, context.style)
    assert svg == save_svg(two, context.style)
    assert "<dc:date>" not in svg
    assert matplotlib.__version__ not in svg


def test_other_processes_write_the_same_bytes() -> None:
    code = (
        "import hashlib, polars as pl; from attnpipe.figures.context import FigureContext; "
        "from attnpipe.figures.save import save_png, save_svg; "
        "from attnpipe.figures.loss_curves import draw; "
        "from attnpipe.schema.figure import FigureOptions, StyleSpec; "
        "from attnpipe.tables.history import HISTORY; "
        "from attnpipe.tables.study import INVENTORY; style = StyleSpec(); "
        "c = FigureContext(style, {'a': 'A', 'b': 'B'}, (), {}, (1,), 1, 10); "
        "h = HISTORY.frame([{'model': m, 'seed': 1, 'epoch': e, 'validation_loss': 1 / (1 + e)} "
        "for m in 'ab' for e in range(9)]); "
        "f = draw({'history': h, 'inventory': INVENTORY.frame()}, c, FigureOptions()); "
        "print(hashlib.sha256(save_png(f, style) + save_svg(f, style).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1


@pytest.mark.parametrize("name", [*WINDOWS, *SHORTENED])
def test_empty_tables_give_a_named_gap(
    factory: ModuleType, readable: ModuleType, name: str
) -> None:
    tables = {k: factory.study()[k].clear() for k in NEEDS[name]}
    figure = FIGURES.load(name)(tables, factory.figure_context(factory.Plan()), FigureOptions())
    said = " ".join(t for t, _ in readable.texts(figure, StyleSpec()))
    assert any(word in said for word in ("no ", "not "))


def test_the_chosen_colour_and_colour_map_are_used(factory: ModuleType) -> None:
    context = factory.figure_context(factory.Plan())
    tables = factory.study()
    forest = FIGURES.load("forest")(tables, context, FigureOptions(color="#ABCDEF"))
    assert "#abcdef" in save_svg(forest, context.style)
    plain = FIGURES.load("epoch_heatmaps")(tables, context, FigureOptions())
    magma = FIGURES.load("epoch_heatmaps")(tables, context, FigureOptions(colormap="magma"))
    assert save_png(plain, context.style) != save_png(magma, context.style)


@pytest.mark.parametrize("name", [*get_args(Sequential), *get_args(Diverging)])
def test_every_colour_map_that_the_config_allows_is_known(name: str) -> None:
    from attnpipe.figures.style import colormap

    assert FigureOptions(colormap=name).colormap == name
    assert colormap(name, "cividis").name == name
    assert colormap(None, name).name == name


def test_drawing_again_moves_nothing(factory: ModuleType) -> None:
    style = StyleSpec()
    figure = drawn(factory, "seed_similarity", factory.Plan(seeds=(7, 42, 94), **SMALL))
    places = []
    for _ in range(3):
        save_png(figure, style)
        places.append([ax.get_position(original=True).bounds for ax in figure.axes])
    assert places[0] == places[1] == places[2]


def test_labels_never_become_markup_in_the_svg(factory: ModuleType) -> None:
    label = "</svg><script>alert(1)</script> -->"
    plan = factory.Plan(labels={"lstm_small_simple": label})
    for name in ("entropy", "profile_overlay"):
        svg = save_svg(drawn(factory, name, plan), StyleSpec())
        assert "<script" not in svg
        assert svg.count("</svg>") == 1


def test_an_axis_without_a_label_is_found(factory: ModuleType, readable: ModuleType) -> None:
    figure = drawn(factory, "use_and_benefit", factory.Plan(**SMALL))
    for ax in figure.axes:
        ax.set_xlabel("")
        ax.set_ylabel("")
        ax.set_title("")
    save_png(figure, StyleSpec())
    found = readable.unnamed_axes(figure)
    assert "x of panel 0" in found
    assert "y of panel 0" in found


def test_points_and_intervals_are_those_of_the_tables(factory: ModuleType) -> None:
    figure = drawn(factory, "entropy", factory.Plan())
    row = (
        factory.study()["metrics"]
        .filter(
            (pl.col("metric") == "entropy_normalized")
            & (pl.col("checkpoint") == "best")
            & (pl.col("model") == "lstm_medium_additive")
        )
        .row(0, named=True)
    )
    drawn_x = [tuple(line.get_xdata()) for line in figure.axes[0].lines]
    assert (row["lo95"], row["hi95"]) in drawn_x
    assert (row["mean"],) in drawn_x
    assert any(len(x) == 5 and min(x) == row["min"] and max(x) == row["max"] for x in drawn_x)


def test_the_summary_shows_a_recent_mass_that_was_measured(factory: ModuleType) -> None:
    plan = factory.Plan(**SMALL)
    tables = dict(factory.study(plan))
    for name in ("metrics", "metric_values"):
        table, ten = tables[name], pl.col("metric").str.contains(r"recent_(mass|excess)_10$")
        others = [
            table.filter(ten).with_columns(pl.col("metric").str.replace("10$", str(k)))
            for k in (5, 20)
        ]
        tables[name] = pl.concat([table.filter(~ten), *others])
    figure = FIGURES.load("summary")(tables, factory.figure_context(plan), FigureOptions())
    (panel,) = [ax for ax in figure.axes if "mass on newest" in ax.get_title("left")]
    assert panel.get_title("left") == "mass on newest 5"  # the nearest to the published ten
    best = (pl.col("metric") == "recent_mass_5") & (pl.col("checkpoint") == "best")
    intervals = tables["metrics"].filter(best).select("lo95", "hi95").rows()
    drawn_x = [tuple(line.get_xdata()) for line in panel.lines]
    assert len(intervals) == len(plan.attention)
    assert [interval for interval in intervals if interval not in drawn_x] == []


def test_gains_of_seeds_average_to_the_gain_of_the_table(factory: ModuleType) -> None:
    from attnpipe.figures.scores import gain_row

    plan = factory.Plan()
    for model, gain in factory.GAINS.items():
        row = gain_row(factory.study(plan), factory.figure_context(plan), model)
        assert len(row.points) == 5
        assert sum(row.points) / 5 == pytest.approx(gain, abs=1e-9)


def test_context_is_read_from_a_jobs_config() -> None:
    spec = {
        "style": FigureSpec(show={}).style.model_dump(),
        "representative_seed": 3,
        "context": {
            "labels": [["b", "B"], ["a", "A"]], "attention_models": ["a"],
            "baselines": {"a": "b", "b": None}, "seeds": [3, 4], "delta": 0.05,
        },
    }  # fmt: skip
    facts = {
        "window": 50,
        "step": {"value": 0.1, "unit": "s"},
        "target": {"name": "x", "unit": "V"},
    }
    context = figure_context(spec, facts)
    assert list(context.labels) == ["b", "a"]
    assert (context.step_value, context.step_unit, context.target_unit) == (0.1, "s", "V")
    assert context.delta == 0.05
    bare = figure_context(spec, {})
    assert (bare.window, bare.step_unit) == (0, "")


@pytest.mark.parametrize("name", ["profiles", "profile_overlay"])
def test_the_last_querys_row_stands_beside_the_mean_over_queries(
    factory: ModuleType, name: str
) -> None:
    plan = factory.Plan(**SMALL)
    means = factory.study(plan)["metrics"].filter(
        (pl.col("metric") == "profile_published") & (pl.col("checkpoint") == "best")
    )
    figure = drawn(factory, name, plan)
    lines = [line for ax in figure.axes for line in ax.get_lines()]
    for model in set(means["model"]):
        wanted = means.filter(pl.col("model") == model).sort("target")["mean"].to_numpy()
        found = [
            line
            for line in lines
            if len(line.get_ydata()) == len(wanted) and np.allclose(line.get_ydata(), wanted)
        ]
        assert [line.is_dashed() for line in found] == [True]
    assert means.height


def test_heat_maps_show_the_last_querys_row_where_there_is_one(factory: ModuleType) -> None:
    plan = factory.Plan(**SMALL)
    axes = drawn(factory, "epoch_heatmaps", plan).axes
    titles = [ax.get_title("left").replace("\n", " ") for ax in axes]
    additive = [m for m in plan.attention if "additive" in m]
    assert len([t for t in titles if "last query" in t]) == len(additive) > 0
    assert len([t for t in titles if t]) == len(plan.attention) + len(additive)


def test_the_time_axis_names_steps_and_time(factory: ModuleType) -> None:
    figure = drawn(factory, "profile_overlay", factory.Plan())
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert ticks[:2] == ["49\n0 h", "44\n−5 h"]
    unitless = drawn(factory, "profile_overlay", factory.Plan(), step_unit="", window=0)
    assert unitless.axes[0].get_xticklabels()[0].get_text() == "49"


def test_models_beyond_the_palette_differ_in_marker(factory: ModuleType) -> None:
    from attnpipe.figures.style import look

    context: FigureContext = factory.figure_context(factory.wide())
    looks = {look(context, m) for m in list(context.labels)[:30]}
    assert len(looks) == 30
    small = replace(context, style=StyleSpec(palette=["#000000", "#111111", "#222222"]))
    assert len({look(small, m) for m in list(context.labels)[:12]}) == 12


def test_registry_and_context_import_no_matplotlib() -> None:
    code = (
        "import sys; "
        "from attnpipe.figures.registry import FIGURES, NEEDS, SHORTENED, TEXTS, WINDOWS; "
        "from attnpipe.figures.context import figure_context; "
        "assert set(FIGURES) == set(NEEDS) == {*WINDOWS, *TEXTS, *SHORTENED}; "
        "assert (len(WINDOWS), len(TEXTS), len(NEEDS)) == (15, 10, 26); "
        "sys.exit(any(m.split('.')[0] in ('matplotlib', 'scipy', 'torch') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_drawing_uses_no_state_of_pyplot_and_neither_torch_nor_scipy() -> None:
    modules = ", ".join(FIGURES.module(name) for name in FIGURES)
    code = (
        f"import sys, attnpipe.figures.save, {modules}; "
        "sys.exit(bool({'matplotlib.pyplot', 'torch', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_a_panel_that_looks_flat_says_between_which_values(
    factory: ModuleType, level: float
) -> None:
    plan = factory.Plan(**SMALL)
    tables = dict(factory.study(plan))
    flat = (pl.col("model") == "lstm_medium_additive") & (pl.col("metric") == "profile")
    steady = pl.when(flat).then(level + pl.col("value") * 1e-6).otherwise(pl.col("value"))
    tables["metric_values"] = tables["metric_values"].with_columns(steady.alias("value"))
    figure = FIGURES.load("profiles")(tables, factory.figure_context(plan), FigureOptions())
    said = {
        ax.get_title("left"): (ax, [t for t in ax.texts if "all between" in t.get_text()])
        for ax in figure.axes
    }
    ax, (words,) = said["LSTM medium additive"]
    assert words.get_text() == f"all between {level:g} and {level:g}"
    line = ax.transLimits.transform((0.0, level))[1]
    assert abs(words.get_position()[1] - line) > 0.3, "the words lie on the line"
    assert said["LSTM small simple"][1] == []
