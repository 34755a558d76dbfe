"""How much of the input is needed: loss over the share that is kept, by policy."""

from collections.abc import Mapping

import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from attnpipe.figures.context import FigureContext
from attnpipe.figures.effects import margin_axis
from attnpipe.figures.gaps import gap_notes
from attnpipe.figures.layout import Words, empty_sheet, grid, shown
from attnpipe.figures.style import BAND, INK, styled
from attnpipe.schema.figure import FigureOptions

NAMES = {
    "recent": "newest",
    "sink_recent": "first and newest",
    "uniform": "equally spaced",
    "static_top": "places preferred on average",
    "random": "random",
    "top_attention": "most attended (oracle)",
}
MARKERS = "osD^vX"
NO_SKILL = "no cost can be told: it is a share of skill, and there is no skill above 0"


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model and variant of the prompt: the selection split."""
    rows = tables["compression"].filter(
        (pl.col("split") == "selection") & ~pl.col("reindexed") & pl.col("value").is_finite()
    )
    places = [
        (model, variant)
        for model in context.attention_models
        for variant in rows.filter(pl.col("model") == model)["variant"].unique(maintain_order=True)
    ]
    names, cut = shown([f"{m} {v}" for m, v in places], 12)
    words = Words(
        title="How much of the input is needed?",
        subtitle="Inputs are removed, the others keep any positions they have; what that costs, in "
        "units of the model's skill. Bars end at the bound that holds for all policies and "
        "budgets at once. Logarithmic beyond 5 δ.",
        xlabel="share of the inputs that is kept beside the last one",
        ylabel="loss added, as a share of skill",
        notes=[
            *cut,
            *(_without_skill(tables, context, rows) if places else []),
            *gap_notes(tables, context, list(context.attention_models)),
        ],
    )
    if not places:
        why = "no input of this study was shortened"
        return empty_sheet(context, words, why if tables["compression"].is_empty() else NO_SKILL)
    palette = context.style.palette
    colors = {name: palette[place % len(palette)] for place, name in enumerate(NAMES)}
    marks = dict(zip(NAMES, MARKERS, strict=True))
    present = [p for p in NAMES if p in set(rows["policy"])]
    band = options.color or BAND
    legend: list[Artist] = [
        Line2D([], [], color=colors[p], marker=marks[p], markersize=3, lw=1.2, label=NAMES[p])
        for p in present
    ]
    legend += [
        Line2D([], [], color=INK, marker="o", markersize=8, markerfacecolor="none", lw=0,
               label="smallest input that will do"),
        Patch(color=band, lw=0, label=f"±δ = {context.delta:g}: too small to matter"),
    ]  # fmt: skip
    several = rows["variant"].n_unique() > 1
    titles = [
        context.label(m) + (f", {v}" if several and v is not None else "")
        for m, v in places[: len(names)]
    ]
    figure, axes = grid(context, words, titles, legend=legend, height=1.9)
    for ax, (model, variant) in zip(axes, places, strict=False):
        mine = rows.filter((pl.col("model") == model) & pl.col("variant").eq_missing(variant))
        margin_axis(ax, "y", context.delta, band)
        for place, policy in enumerate(present):
            _curve(ax, mine, policy, colors[policy], marks[policy], place - len(present) / 2)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return figure


def _without_skill(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, drawn: pl.DataFrame
) -> list[str]:
    """Name the models whose inputs were shortened and that have no skill to lose."""
    lost = {*tables["compression"]["model"]} - {*drawn["model"]}
    return [f"{context.label(m)}: {NO_SKILL}." for m in context.attention_models if m in lost]


def _curve(
    ax: Axes, rows: pl.DataFrame, policy: str, color: str, marker: str, shift: float
) -> None:
    own = rows.filter(pl.col("policy") == policy).sort("budget")
    x = own["budget"].to_numpy() + 0.004 * shift  # beside each other, not on top
    value, upper = own["value"].to_numpy(), own["upper"].fill_null(float("nan")).to_numpy()
    ax.plot(x, value, color=color, lw=1.2, marker=marker, markersize=3)
    ax.vlines(x, value, upper, color=color, lw=0.8)
    best = own["chosen"].to_numpy()
    ax.plot(x[best], value[best], "o", color=INK, markersize=8, markerfacecolor="none", zorder=5)
