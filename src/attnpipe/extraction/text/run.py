"""Capture of one pretrained model: its attention on every text, and its answers."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from tokenizers import Tokenizer

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import Observer, observing, on_samples
from attnpipe.attention.kernel.fused_tokens import FusedTokenBattery
from attnpipe.core.progress import Progress, silent
from attnpipe.extraction.text.answers import answers
from attnpipe.extraction.text.batches import batches, ids_of
from attnpipe.extraction.text.masks import check_visible
from attnpipe.extraction.text.observers import WeightStore
from attnpipe.extraction.text.spans import span_rows
from attnpipe.extraction.text.table import TextMetricTable
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.models.determinism import deterministic
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.schema.pretrained import Task
from attnpipe.tables.text import SEGMENTS
from attnpipe.text.reading import ModelText, token_table

PRETRAINED, UNTRAINED = "pretrained", "untrained"

Load = Callable[[str], Any]
"""Checkpoint → the model in evaluation mode."""


@dataclass(frozen=True)
class Captured:
    """What is known of a model once it has read the texts.

    Attributes
    ----------
    tokens, answers, metrics
        Tables `TOKENS`, `ANSWERS`, `TEXT_METRICS`.
    segments
        Table `SEGMENTS` over all rows.
    arrays
        ``<checkpoint>/last/<item>`` and ``<checkpoint>/full/<item>``: stored weights.
    checkpoints
        In order.
    parameters
        Of the model.
    """

    tokens: pl.DataFrame
    answers: pl.DataFrame
    metrics: pl.DataFrame
    segments: pl.DataFrame
    parameters: int | None = None
    checkpoints: list[str] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def capture_texts(
    load: Load,
    name: str,
    task: Task,
    texts: Sequence[ModelText],
    tokenizer: Tokenizer,
    metrics: MetricsSpec,
    options: TextSpec,
    *,
    untrained: bool = False,
    progress: Progress = silent,
) -> Captured:
    """Return a model's attention on all texts and what it answers.

    Metrics are computed beside the attention itself, so that no text's weights are ever held
    but the last row of each, and all rows of the texts of the representative question that
    have at most `dense_limit` tokens.

    Parameters
    ----------
    load
        Gives the model at a checkpoint.
    name
        Of the model.
    task
        Language models answer; encoders do not.
    texts
        All texts.
    tokenizer
        The model's.
    metrics, options
        What is measured, and what counts as a sink.
    untrained
        Whether the same architecture with random weights reads the texts, too.
    progress
        Is told how many texts were read, and how many answered.

    Raises
    ------
    UserError
        The model hides keys that it declares visible.
    """
    lengths = {text.item: len(text.tokens.ids) for text in texts}
    whole = [
        t.item for t in texts
        if t.question == options.representative_question and lengths[t.item] <= options.dense_limit
    ]  # fmt: skip
    known = Texts.of({text.item: text.tokens for text in texts}, options.sinks)
    variants: dict[str, list[int]] = {}
    for text in texts:
        variants.setdefault(text.variant, []).append(text.item)
    table = TextMetricTable(name, whole, options.head_metrics, variants)
    segments = [SEGMENTS.frame()]
    arrays: dict[str, np.ndarray] = {}
    checkpoints = [UNTRAINED, PRETRAINED] if untrained else [PRETRAINED]
    for checkpoint in checkpoints:
        model = load(checkpoint)
        check_visible(model, texts)
        folds = FusedTokenBattery(metrics, known)
        store = WeightStore(lengths, whole)
        doing = "reading" if checkpoint == PRETRAINED else "reading with random weights"
        _read(model, task, texts, partial(progress, doing), folds, store)
        for layer, battery in sorted(folds.folds.items()):
            table.add(checkpoint, layer, battery)
            last = {item: store.last_of(item, layer) for item in lengths}
            table.add_without_found(checkpoint, layer, battery, last)
            segments.append(span_rows(name, checkpoint, layer, battery, texts))
        arrays |= {f"{checkpoint}/last/{i}": store.last(i) for i in lengths}
        arrays |= {f"{checkpoint}/full/{i}": store.full(i) for i in whole}
    speaker = model if task == "causal_lm" else None
    with deterministic():
        said = answers(speaker, name, texts, tokenizer, options.dense_limit, progress)
    return Captured(
        tokens=token_table(name, list(texts), tokenizer),
        answers=said,
        metrics=table.frame(),
        segments=pl.concat(segments),
        parameters=sum(p.numel() for p in model.parameters()),
        checkpoints=checkpoints,
        arrays=arrays,
    )


def _read(
    model: Any,
    task: Task,
    texts: Sequence[ModelText],
    progress: Callable[[int, int], None],
    *observers: Observer,
) -> None:
    """Let the model read all texts under the observers; what it says of them is not wanted."""
    one = {"logits_to_keep": 1} if task == "causal_lm" else {}
    with ExitStack() as stack:
        stack.enter_context(deterministic())
        stack.enter_context(torch.inference_mode())
        stack.enter_context(adapted(model))
        stack.enter_context(observing(*observers))
        done = 0
        for group in batches(texts):
            with on_samples(torch.tensor([text.item for text in group])):
                model(input_ids=ids_of(group), use_cache=False, **one)
            done += len(group)
            progress(done, len(texts))
