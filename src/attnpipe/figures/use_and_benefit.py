"""Is what is used beneficial? What a model loses without its attention, and what others lose."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.effects import Effect, effect, margin_axis
from attnpipe.figures.gaps import gap_notes
from attnpipe.figures.layout import Words, empty_sheet, sheet, shown
from attnpipe.figures.style import BAND, QUIET, RULE, SMALL, look, styled
from attnpipe.schema.figure import FigureOptions

USE = "E2"
MOST_MODELS = 12
ARMS = {"R0": "a model trained without attention", "R1": "one trained with equal weights"}
CORNERS = (
    (0.98, 0.98, "used, and nothing simpler does as well"),
    (0.98, 0.02, "used, but another does better"),
    (0.02, 0.98, "not used, yet better"),
    (0.02, 0.02, "not used, and another does better"),
)


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return a map of all models: use to the right, benefit upwards, with intervals."""
    models, cut = shown(context.attention_models, MOST_MODELS)
    points = {
        model: {code: effect(tables, model, code) for code in (USE, *ARMS)} for model in models
    }
    lacking = [m for m, of in points.items() if of[USE] is None or not any(of[a] for a in ARMS)]
    notes = [f"Not on the map, as effects are missing: {context.label(m)}." for m in lacking[:3]]
    words = Words(
        title="Is what is used also beneficial?",
        subtitle="To the right: what the model loses when equal weights are put in place of its "
        "own. Upwards: what simpler models, trained in the same way, lose against it. In units of "
        "the model's skill, logarithmic beyond 5 δ.",
        notes=[*cut, *notes, *gap_notes(tables, context, models)],
    )
    known = [m for m in models if m not in lacking]
    if not known:
        return empty_sheet(context, words, "no model with both kinds of evidence")
    color = options.color or BAND
    legend = [
        *(_key(context, model) for model in known),
        Line2D([], [], color=QUIET, marker="o", lw=0, markersize=4, label=f"against {ARMS['R0']}"),
        Line2D(
            [], [], color=QUIET, marker="o", lw=0, markersize=4, markerfacecolor="white",
            label=f"against {ARMS['R1']}",
        ),
        Line2D([], [], color=QUIET, lw=1.2, label=f"{PERCENT} interval"),
        Patch(color=color, lw=0, label=f"±δ = {context.delta:g}: too small to matter"),
    ]  # fmt: skip
    figure = sheet(context, words, [4.0], legend)
    ax = figure.subplots()
    for which in ("x", "y"):
        margin_axis(ax, which, context.delta, color)
    ax.axhline(0, color=RULE, lw=0.6, zorder=1)
    ax.axvline(0, color=RULE, lw=0.6, zorder=1)
    for model in known:
        _point(ax, context, model, points[model])
    for x, y, text in CORNERS:
        ax.text(
            x, y, text, transform=ax.transAxes, size=SMALL, color=QUIET, style="italic",
            ha="right" if x > 0.5 else "left", va="top" if y > 0.5 else "bottom",
        )  # fmt: skip
    ax.margins(0.12)
    ax.set_xlabel("used: loss with equal weights put in (E2)")
    ax.set_ylabel("beneficial: loss of the simpler model (R0, R1)")
    return figure


def _point(
    ax: Axes,
    context: FigureContext,
    model: str,
    of: Mapping[str, Effect | None],
) -> None:
    own, use = look(context, model), of[USE]
    assert use is not None  # models without it are not on the map
    x = use["value"]
    for code in ARMS:
        gain = of[code]
        if gain is None:
            continue
        y = gain["value"]
        lines = (((use["lo95"], use["hi95"]), (y, y)), ((x, x), (gain["lo95"], gain["hi95"])))
        for ends in lines:
            if None not in (*ends[0], *ends[1]):
                ax.plot(*np.array(ends, dtype=float), color=own.color, lw=1.2, alpha=0.8, zorder=3)
        ax.plot(
            *np.array([[x], [y]], dtype=float), marker=own.marker, color=own.color, markersize=5,
            markerfacecolor=own.color if code == "R0" else "white", zorder=4,
        )  # fmt: skip


def _key(context: FigureContext, model: str) -> Line2D:
    own = look(context, model)
    return Line2D(
        [], [], color=own.color, marker=own.marker, lw=0, markersize=5, label=context.label(model)
    )
