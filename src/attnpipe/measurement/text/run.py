"""Stored rows of one run → its segments, and what else the last row says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from attnpipe.io.weights import TextWeights
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.measurement.text.last_row import focus, published_layer_entropy
from attnpipe.measurement.text.segments import published_keywords, segments
from attnpipe.metrics.tokens.texts import declared
from attnpipe.tables.text import SEGMENTS, TEXT_METRICS
from attnpipe.text.names import EXAMPLES_ANSWERS, is_shot_answer, keyword
from attnpipe.text.reading import ModelText

KEYWORD = keyword("")


@dataclass(frozen=True)
class Measured:
    """Tables `TEXT_METRICS` and `SEGMENTS` of one run."""

    metrics: pl.DataFrame
    segments: pl.DataFrame


def measure_texts(
    weights: TextWeights,
    model: str,
    texts: Sequence[ModelText],
    sinks: Sequence[str],
    found_sinks: FoundSinks,
) -> Measured:
    """Return what the stored last rows say, text by text.

    Parameters
    ----------
    weights
        The stored weights; rows of every text at every checkpoint.
    model
        Name of the model.
    texts
        Its texts, with their spans.
    sinks
        Roles of sinks, as `metrics.tokens.texts.declared` takes them.
    found_sinks
        Those that the weights show.
    """
    metrics, found = [TEXT_METRICS.frame()], [SEGMENTS.frame()]
    for checkpoint in weights.checkpoints:
        for text in texts:
            rows = weights.last(checkpoint, text.item).astype(np.float64)
            words = document3_words(text)
            where = (model, checkpoint, text.item, rows)
            removed = declared(text.tokens.special, list(sinks))
            shown = found_sinks.with_declared(checkpoint, text.item, removed, len(rows))
            metrics += [focus(*where, removed, shown), published_layer_entropy(*where)]
            found.append(segments(model, checkpoint, text, rows, removed, shown))
            if words:
                found.append(published_keywords(model, checkpoint, text, rows, words))
    return Measured(*(pl.concat(f).sort("checkpoint", "layer", "item") for f in (metrics, found)))


def document3_words(text: ModelText) -> dict[str, list[str]]:
    """Return what document 3 sums weights of: each keyword, and the answers of all examples."""
    spans = [span.span for span in text.tokens.spans]
    names = dict.fromkeys([*(span.name for span in spans), *text.missed])
    words = {n: [n.removeprefix(KEYWORD)] for n in names if n.startswith(KEYWORD)}
    answers = [text.tokens.text[s.start : s.end] for s in spans if is_shot_answer(s.name)]
    return words | ({EXAMPLES_ANSWERS: answers} if answers else {})
