"""The table of error rates as a picture for `docs/calibration.md`."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from tests.calibration.targets import UPPER

from attnpipe.figures.save import save_png
from attnpipe.figures.style import QUIET, RULE, SMALL, style_active
from attnpipe.schema.figure import StyleSpec

PARTS = {"correct": ("right", "#0072B2"), "inconclusive": ("open", "#BBBBBB"),
         "wrong": ("wrong", "#D55E00")}  # fmt: skip


def draw(table: pl.DataFrame, path: Path) -> None:
    """Write the shares of right, open and wrong verdicts, one panel per number of seeds."""
    style, sizes = StyleSpec(), sorted(table["seeds"].unique())
    cases = table["case"].unique(maintain_order=True).to_list()
    with style_active():
        figure = Figure(figsize=(7.2, 0.6 + 0.24 * len(cases)), layout="constrained")
        panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
        for panel, seeds in zip(panels, sizes, strict=True):
            of = table.filter(pl.col("seeds") == seeds)
            places = np.array([cases.index(case) for case in of["case"]])
            # Where INCONCLUSIVE itself is right, it is drawn once, as right.
            right = of["correct"].to_numpy()
            shares = {
                "correct": right,
                "inconclusive": np.maximum(1 - right - of["wrong"].to_numpy(), 0),
                "wrong": of["wrong"].to_numpy(),
            }
            start = np.zeros(len(of))
            for part, (label, color) in PARTS.items():
                wide = 100 * shares[part]
                panel.barh(places, wide, left=start, color=color, height=0.7, label=label)
                start = start + wide
            panel.plot(
                100 * (1 - of["wrong_upper"].to_numpy()), places, "|", color="black",
                markersize=7, label="100 % − upper bound of wrong",
            )  # fmt: skip
            panel.axvline(100 * (1 - UPPER), color=RULE, linestyle=":", label="its target")
            panel.set_title(f"{seeds} seeds")
            panel.set_xlim(0, 100)
            panel.set_xlabel("groups, %")
            panel.set_yticks(range(len(cases)), cases, fontsize=SMALL)
            panel.set_ylim(len(cases) - 0.5, -0.5)
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5,
            labelcolor=QUIET,
        )  # fmt: skip
        path.write_bytes(save_png(figure, style))
