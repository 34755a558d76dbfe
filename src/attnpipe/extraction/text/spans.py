"""Attention of all of a text's rows to its named spans, as rows of table `SEGMENTS`."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from attnpipe.metrics.reduce import mean_of_known
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.masses import Mass, span_masses
from attnpipe.tables.text import SEGMENTS
from attnpipe.text.reading import ModelText


def span_rows(
    model: str, checkpoint: str, layer: int, battery: TokenBattery, texts: Sequence[ModelText]
) -> pl.DataFrame:
    """Return one layer's masses on spans, with and without sinks, means over rows and heads.

    A row that comes before a span cannot see it: it adds nothing to the mass, nor to that of
    uniform attention, so that the relative mass is about the rows that can.
    """
    rows: list[dict[str, object]] = []
    for condition in (None, "sinks_removed"):
        incoming = battery.views["all", condition].incoming
        read = set(incoming.samples.tolist())
        for text in texts:
            at = {"condition": condition, "item": text.item}
            if text.item in read:
                for span in span_masses(incoming.of(text.item), text.tokens.spans):
                    rows.append(
                        {**at, "span": span.name, "occurrence": span.occurrence,
                         "n_matches": span.n_matches, "n_tokens": span.on.n_tokens,
                         **_means(span.on)}
                    )  # fmt: skip
            rows += [
                {**at, "span": name, "n_matches": 0, "n_tokens": 0, "mass": 0.0}
                for name in text.missed
            ]
    at_layer = {"model": model, "checkpoint": checkpoint, "layer": layer}
    return SEGMENTS.frame([at_layer | row for row in rows])


def _means(on: Mass) -> dict[str, float | None]:
    """Return the means over heads; None where no row could see the span."""
    means = mean_of_known(np.stack([on.mass, on.per_token, on.relative])).tolist()
    known = [None if np.isnan(mean) else mean for mean in means]
    return dict(zip(("mass", "mass_per_token", "mass_relative"), known, strict=True))
