"""A study whose examples' question holds a sink of layer 1 that nobody declared.

In layer 1 the last row has `ON_SINK` of its weight there. Of what is left, the answers get more
than their share and more than the questions; with the sink, next to nothing.
"""

from dataclasses import replace

import numpy as np
import polars as pl
from tests.aggregation.text.factory import MODEL, Study, study
from tests.aggregation.text.naive import segment_rows

from attnpipe.tables.text import SEGMENTS, TEXT_METRICS

LAYER, ON_SINK = 1, 0.9
SHOTS = ("1_shot", "2_shot")


def sink_of(text):
    """Where the sink stands: the first token of the first example's question."""
    return text.spans()["shot_1_question"][0][0]


def planted(questions=12):
    """The study, with the sink in its weights, segments and metrics."""
    made = study(questions=questions, variants=("plain", *SHOTS), effect=False)
    arrays, found, segments = made.run.attention, [], []
    for text in made.own:
        full = arrays.full_of["pretrained", text.item]
        if text.shots:
            spans, place = text.spans(), sink_of(text)
            answers = [p for k in range(text.shots) for p in spans[f"shot_{k + 1}_answer"][0]]
            full[LAYER, :, -1, answers] *= 6
            full[LAYER, :, -1] *= (1 - ON_SINK) / full[LAYER, :, -1].sum(axis=-1, keepdims=True)
            full[LAYER, :, -1, place] += ON_SINK
            found += [
                {"model": MODEL, "checkpoint": "pretrained", "layer": LAYER, "head": head,
                 "item": text.item, "rows": "all", "target": place, "metric": "data_sink_mass",
                 "value": ON_SINK, "chance": 0.05}
                for head in range(full.shape[1])
            ]  # fmt: skip
        last = full[:, :, -1].astype(np.float64)
        segments += segment_rows(MODEL, "pretrained", text.item, last, text.spans())
    metrics = pl.concat([made.run.metrics, TEXT_METRICS.frame(found).lazy()])
    run = replace(made.run, metrics=metrics, segments=SEGMENTS.frame(segments).lazy())
    return Study(made.texts, made.spans, run, made.options, made.outcome, made.own)
