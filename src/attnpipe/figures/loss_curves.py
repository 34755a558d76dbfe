"""Whether training went well: losses over epochs."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from attnpipe.figures.context import FigureContext
from attnpipe.figures.gaps import gap, gap_notes
from attnpipe.figures.layout import Words, absent, empty_sheet, grid, panel_room, shown
from attnpipe.figures.seed_lines import drawn_note, seed_lines
from attnpipe.figures.selection import mean_over_seeds
from attnpipe.figures.style import INK, styled
from attnpipe.schema.figure import FigureOptions

SERIES = ("train_loss", "validation_loss")


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model: training and validation loss over epochs."""
    models, cut = shown(list(context.labels))
    history = tables["history"]
    train, validation = options.color or context.style.palette[0], context.style.palette[1]
    words = Words(
        title="Loss while the models train",
        subtitle=f"{_loss(context)}; thin lines are seeds, bold lines means.",
        xlabel="epoch (0 = untrained)",
        ylabel="loss, nats" if context.of_tokens else "loss / variance of the target",
        notes=[*cut, *drawn_note(history), *gap_notes(tables, context, models)],
    )
    if history.is_empty():
        return empty_sheet(context, words, "the models of this study were not trained here")
    low, high, cut_off = _limits(history)
    if cut_off:
        words = replace(words, notes=[f"Losses above {high:.2g} are cut off.", *words.notes])
    stopped = _stopped(tables)
    legend = [
        Line2D([], [], color=train, lw=1.6, label="training"),
        Line2D([], [], color=validation, lw=1.6, ls="--", label="validation"),
    ]
    if stopped.height:
        legend.append(_cross("last epoch of a run that did not end well"))
    figure, axes = grid(context, words, [context.label(m) for m in models], legend=legend)
    for ax, model in zip(axes, models, strict=True):
        mine = history.filter(pl.col("model") == model)
        if mine.is_empty():
            absent(
                ax, gap(tables, context, model, values="losses").full, panel_room(context, models)
            )
            continue
        _lines(ax, mine, "train_loss", train, "-")
        _lines(ax, mine, "validation_loss", validation, "--")
        ends = mine.join(stopped, on=["model", "seed", "epoch"])
        ax.plot(ends["epoch"], ends["validation_loss"], "x", color=INK, markersize=5, zorder=5)
    if high > 10 * low > 0:
        axes[0].set_yscale("log")
        steps = (1.0, 2.0, 5.0) if high < 100 * low else (1.0,)
        axes[0].yaxis.set_major_locator(LogLocator(subs=steps))
        axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes[0].yaxis.set_minor_formatter("")
    axes[0].set_ylim(low, high)
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    return figure


def _loss(context: FigureContext) -> str:
    if context.of_tokens:
        return "Cross-entropy of the tokens that can be foretold, nats per token"
    return "Mean squared error in units of the target's variance"


def _lines(ax: Axes, runs: pl.DataFrame, column: str, color: str, dash: str) -> None:
    known = runs.filter(pl.col(column).is_finite())
    seed_lines(ax, known, "epoch", column, color=color)
    mean = mean_over_seeds(known, column)
    ax.plot(mean["epoch"], mean[column], color=color, lw=1.4, ls=dash)


def _stopped(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the last epoch of every run that did not end well."""
    bad = tables["inventory"].filter(pl.col("outcome") != "ok").select("model", "seed")
    known = tables["history"].filter(pl.col("validation_loss").is_finite())
    return (
        known.join(bad, on=["model", "seed"]).group_by("model", "seed").agg(pl.col("epoch").max())
    )


def _limits(history: pl.DataFrame) -> tuple[float, float, bool]:
    """Return limits of the losses, and whether they leave out a run that explodes."""
    losses = pl.concat([history[c] for c in SERIES]).drop_nulls()
    losses = losses.filter(losses.is_finite())
    low, usual, top = losses.min(), losses.quantile(0.95), losses.max()
    if not (isinstance(low, float) and isinstance(usual, float) and isinstance(top, float)):
        return 0.0, 1.0, False
    high = min(top, 1.5 * usual)
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.1
    return max(low - pad, 0.5 * low), high + pad, top > high + pad


def _cross(label: str) -> Line2D:
    return Line2D([], [], color=INK, marker="x", markersize=5, lw=0, label=label)
