"""A small study of texts with planted effects: run tables and arrays, computed naively.

Words are tokens, behind a special one. Planted, in logits of the last token's row:

- head (1, 1) looks at ``plus``, whatever the prompt;
- ``cot``: in layer 1 more on the question;
- ``<k>_shot``: in layer 0 more on the examples' answers;
- right answers (plain: even questions, cot: all): in layer 0 more on the operands.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from tests.aggregation.text.naive import metric_rows, segment_rows
from tests.aggregation.text.prompts import Text, is_right, make_text

from attnpipe.aggregation.text.run import TextRun
from attnpipe.core.outcome import Outcome
from attnpipe.schema.analysis import TextSpec
from attnpipe.tables.text import ANSWERS, SEGMENTS, SPANS, TEXT_METRICS, TEXTS, TOKENS

MODEL = "m"
VARIANTS = ("plain", "cot", "1_shot", "2_shot")


class Arrays:
    """Weights by checkpoint and item."""

    def __init__(self):
        self.full_of = {}

    def last(self, checkpoint, item):
        return self.full_of[checkpoint, item][:, :, -1]

    def full(self, checkpoint, item):
        return self.full_of[checkpoint, item]


@dataclass
class Study:
    texts: pl.DataFrame
    spans: pl.DataFrame
    run: TextRun
    options: TextSpec
    outcome: Outcome
    own: list[Text]


def weights(text, rng, layers, heads, right, effect):
    n = len(text.words)
    logits = rng.normal(0, 0.5, (layers, heads, n, n))
    last = logits[:, :, -1]
    on = {name: [p for run in runs for p in run] for name, runs in text.spans().items()}
    if effect:
        last[1, 1, on.get("operator", [])] += 9.0
        if text.variant == "cot":
            last[1, 0, on["question"]] += 1.5
        for shot in range(1, text.shots + 1):
            last[0, :, on[f"shot_{shot}_answer"]] += 1.5
        if right:
            last[0, :, on["operand_1"] + on["operand_2"]] += 1.0
    logits[..., ~np.tri(n, dtype=bool)] = -np.inf
    return softmax_rows(logits)


def softmax_rows(logits):
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (p / p.sum(axis=-1, keepdims=True)).astype(np.float32)


def study(
    questions=6, layers=2, heads=2, variants=VARIANTS, checkpoints=("pretrained",), seed=0,
    effect=True, options=None,
):  # fmt: skip
    """Return a study; `effect=False` plants nothing."""
    rng = np.random.default_rng(seed)
    operands = [tuple(map(int, rng.choice(np.arange(20, 99), 2, replace=False)))
                for _ in range(questions)]  # fmt: skip
    own = [
        make_text(q * len(variants) + v, q, variant, operands[q])
        for q in range(questions)
        for v, variant in enumerate(variants)
    ]
    arrays = Arrays()
    metrics, segments = [], []
    for checkpoint in checkpoints:
        for text in own:
            full = weights(text, rng, layers, heads, is_right(text), effect)
            arrays.full_of[checkpoint, text.item] = full
            of = full.astype(np.float64)
            metrics += metric_rows(MODEL, checkpoint, text.item, of)
            segments += segment_rows(MODEL, checkpoint, text.item, of[:, :, -1], text.spans())
    run = TextRun(
        tokens=TOKENS.frame([row for text in own for row in token_rows(text)]),
        answers=ANSWERS.frame([answer_row(text, rng) for text in own]),
        metrics=TEXT_METRICS.frame(metrics).lazy(),
        segments=SEGMENTS.frame(segments).lazy(),
        attention=arrays,
    )
    return Study(
        TEXTS.frame([text_row(text) for text in own]),
        SPANS.frame([row for text in own for row in span_rows(text)]),
        run,
        options
        or TextSpec(clusters=2, views=["last_layer", "mean", "max", "rollout", "l1h0", "l1"]),
        Outcome("ok", parameters=1234),
        own,
    )


def text_row(text):
    asked = {"answer": str(sum(text.operands)), "first": text.operands[0],
             "operation": "plus", "second": text.operands[1]}  # fmt: skip
    return {
        "model": MODEL, "item": text.item, "question": text.question, "variant": text.variant,
        "shots": text.shots, "text": " ".join(text.words[1:]), "add_special_tokens": True,
    } | (asked if is_right(text) is not None else {})  # fmt: skip


def span_rows(text):
    for name, runs in text.spans().items():
        for occurrence, run in enumerate(runs):
            start, end = text.offsets[run[0]][0], text.offsets[run[-1]][1]
            yield {"model": MODEL, "item": text.item, "span": name, "occurrence": occurrence,
                   "start": int(start), "end": int(end)}  # fmt: skip
    yield {"model": MODEL, "item": text.item, "span": "keyword: never"}


def token_rows(text):
    for place, (word, offset) in enumerate(zip(text.words, text.offsets, strict=True)):
        start, end = (None, None) if offset is None else map(int, offset)
        yield {"model": MODEL, "item": text.item, "position": place, "id": place, "token": word,
               "start": start, "end": end, "special": place == 0,
               "spans": "; ".join(text.names[place])}  # fmt: skip


def answer_row(text, rng):
    where = {"model": MODEL, "item": text.item, "question": text.question,
             "variant": text.variant, "tokens": len(text.words)}  # fmt: skip
    if is_right(text) is None:
        return where
    right = str(sum(text.operands))
    given = right if is_right(text) else "1"
    return where | {
        "finished": True, "reading": "right" if given == right else "wrong",
        "loss": float(rng.uniform(2, 4)), "answer": right,
        "generated": f" {given}", "given": given, "correct": given == right,
        "answer_loss": float(rng.uniform(0, 2)),
    }  # fmt: skip
