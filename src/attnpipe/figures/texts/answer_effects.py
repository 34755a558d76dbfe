"""Do answers rest on attention? What they lose when it is replaced, layer by layer."""

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import Row, draw_rows, key, reference_line, rule_key, span
from attnpipe.figures.effects import margin_axis
from attnpipe.figures.layout import Words, sheet, sheet_width
from attnpipe.figures.scores import estimate_text
from attnpipe.figures.style import BAND, TEXT, look, styled
from attnpipe.figures.text import shorten
from attnpipe.figures.texts.selection import (
    absence_notes,
    cut_note,
    model_note,
    nothing,
    split_models,
)
from attnpipe.schema.figure import FigureOptions

SAYS = {"E2": "E2 equal weights", "E3": "E3 position mean", "E4": "E4 other questions"}
ROW, FRAME = 0.17, 0.42
MOST = 4
NOTHING = "answers with other attention"
ALL = "all"


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model: each replacement in all layers, then in groups of them."""
    frame = tables["text_effects"].filter(pl.col("metric") == "skill_units")
    models, absent = split_models(context, frame, MOST)
    words = Words(
        title="Do answers rest on attention?",
        subtitle="What the right answers lose when weights are replaced while the model reads and "
        "answers, in units of what the question tells: loss of another question's answer less "
        "loss of the right one. Logarithmic beyond 5 δ.",
        xlabel="loss, as a share of what the question tells",
        notes=[
            *cut_note(len(models), frame["model"].n_unique()),
            *(note for m in models for note in _why_unknown(tables["text_effects"], context, m)),
            *absence_notes(tables, context, absent, NOTHING),
        ],
    )
    if not models:
        return nothing(tables, context, words.title, NOTHING)
    band = options.color or BAND
    legend = [
        key(f"mean over questions, {PERCENT} interval", line=True),
        rule_key("no effect"),
        Patch(color=band, lw=0, label=f"±δ = {context.delta:g}: too small to matter"),
    ]
    of = {model: _rows(frame.filter(pl.col("model") == model), context, model) for model in models}
    heights = [FRAME + ROW * len(rows) for rows in of.values()]
    figure = sheet(context, words, heights, legend)
    ratios = [len(rows) + FRAME / ROW for rows in of.values()]
    axes = figure.subplots(len(models), 1, squeeze=False, sharex=True, height_ratios=ratios)[:, 0]
    limits = span([row for rows in of.values() for row in rows], 0.0, -context.delta, context.delta)
    for ax, (model, rows) in zip(axes, of.items(), strict=True):
        margin_axis(ax, "x", context.delta, band)
        draw_rows(ax, rows, labels=True, room=0.3 * sheet_width(context))
        reference_line(ax, 0.0)
        ax.set_xlim(*limits)
        ax.set_title(shorten(context.label(model), 0.6 * sheet_width(context), TEXT))
    return figure


def _why_unknown(effects: pl.DataFrame, context: FigureContext, model: str) -> list[str]:
    """Say why rows are unknown: the question tells nothing, or losses were not measured."""
    own = effects.filter(pl.col("model") == model)
    over_all = own.filter(pl.col("variant").is_null())
    chosen = over_all if over_all.height else own
    replaced = chosen.filter(pl.col("code").is_not_null())
    unknown = replaced.filter((pl.col("metric") == "skill_units") & pl.col("mean").is_null())
    nats = replaced.filter(pl.col("metric") == "nats")
    at = ["variant", "code", "layers"]
    measured = unknown.join(nats.drop_nulls("mean"), on=at, how="semi", nulls_equal=True)
    notes = []
    if measured.height:
        told = chosen.filter(pl.col("code").is_null() & pl.col("mean").is_not_null())["mean"]
        size = f" (mean {told[0]:.3g} nats)".replace("-", "−") if len(told) == 1 else ""
        notes.append(f"unknown where the question is not shown to tell anything{size}: no share.")
    if measured.height < unknown.height:
        notes.append(
            "unknown where too few texts of one length were read together, or, of position means, "
            "texts have more tokens than analysis.text.dense_limit."
        )
    return [model_note(context, model, note) for note in notes]


def _rows(effects: pl.DataFrame, context: FigureContext, model: str) -> list[Row]:
    """Return the mean over variants where there are several."""
    over_all, own = effects.filter(pl.col("variant").is_null()), look(context, model)
    chosen = _in_order(over_all if over_all.height else effects)
    rows = []
    for code, says in SAYS.items():
        for row in chosen.filter(pl.col("code") == code).iter_rows(named=True):
            where = says if row["layers"] == ALL else f"layers {row['layers'].replace('-', '–')}"
            if row["mean"] is None:
                rows.append(Row(where, own, missing="unknown"))
                continue
            found = {"value": row["mean"], "lo95": row["lo95"], "hi95": row["hi95"]}
            text = estimate_text(found, sign=True)
            rows.append(Row(where, own, (), row["mean"], row["lo95"], row["hi95"], values=text))
    return rows


def _in_order(effects: pl.DataFrame) -> pl.DataFrame:
    """Return the whole model first, then groups of layers from the first to the last."""
    first = pl.col("layers").str.extract(r"^(\d+)").cast(pl.Int64)
    return effects.sort(first, "variant", nulls_last=False)
