"""A pretrained model that answers after some of its prompt was removed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from tokenizers import Tokenizer

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.interventions.compression.policies import Context, choices, typical_of
from attnpipe.interventions.compression.table import CONFIRMATION, SELECTION, LossTable
from attnpipe.interventions.compression.tokens import LastRow
from attnpipe.models.determinism import deterministic
from attnpipe.schema.compression import CompressionSpec
from attnpipe.tasks.answers import (
    AnswerBatch,
    answer_batches,
    answer_losses,
    other_answer_losses,
)
from attnpipe.text.reading import ModelText


def compress_texts(
    model: Any,
    name: str,
    texts: Sequence[ModelText],
    tokenizer: Tokenizer,
    spec: CompressionSpec,
) -> pl.DataFrame:
    """Score the right answers behind a part of each text.

    The text's last token and the answer are always read. Policies are chosen on questions
    with even numbers and tried on the others.

    Parameters
    ----------
    model
        A causal language model of transformers, in evaluation mode.
    name
        Of the model.
    texts
        All texts; those of variants that are not asked for are left out.
    tokenizer
        Of the model.
    spec
        What is kept.

    Returns
    -------
    DataFrame
        `tables.COMPRESSION_LOSSES`.
    """
    table = LossTable(name, 0)
    variants: dict[str, list[AnswerBatch]] = {}
    for batch in answer_batches(texts, tokenizer, variants=spec.variants):
        variants.setdefault(batch.texts[0].variant, []).append(batch)
    with deterministic():
        for variant, batches in variants.items():
            by_length: dict[int, list[AnswerBatch]] = {}
            for batch in batches:
                by_length.setdefault(batch.ids.shape[1] - batch.length, []).append(batch)
            for alike in by_length.values():
                _shorten(table, model, variant, alike, spec)
    return table.frame()


def _split(text: ModelText) -> str:
    return CONFIRMATION if text.question % 2 else SELECTION


def _shorten(
    table: LossTable,
    model: Any,
    variant: str,
    batches: Sequence[AnswerBatch],
    spec: CompressionSpec,
) -> None:
    """Add all losses of the texts of one variant and length."""
    rows = [_attention(model, batch) for batch in batches]
    texts = [text for batch in batches for text in batch.texts]
    chosen_on = np.array([_split(text) == SELECTION for text in texts])
    typical = typical_of(np.concatenate(rows), chosen_on)
    start = 0
    for batch, attention in zip(batches, rows, strict=True):
        part = slice(start, start := start + len(batch.texts))
        intact, trivial = answer_losses(model, batch), other_answer_losses(model, batch)
        items = [(t.item, f"question {t.question}", _split(t)) for t in batch.texts]
        numbers = np.array([t.item for t in batch.texts])
        context = Context(numbers, attention, None if typical is None else typical[part])
        for choice in choices(context, spec):
            end = np.arange(context.places, batch.ids.shape[1])[None].repeat(len(choice.kept), 0)
            kept = np.concatenate([choice.kept, end], axis=1)
            for reindexed in (False, True):
                losses = intact
                if not choice.everything:
                    losses = answer_losses(model, batch, kept, keep_positions=not reindexed)
                table.add(
                    choice, items, losses, intact, trivial, places=context.places,
                    reindexed=reindexed, variant=variant,
                )  # fmt: skip


def _attention(model: Any, batch: AnswerBatch) -> Float[np.ndarray, "text place"]:
    """Return what each text's last token attends to among those before it."""
    last = batch.ids.shape[1] - batch.length - 1
    look = LastRow(last)
    with adapted(model), observing(look):
        answer_losses(model, batch)
    return look.mean()[:, :last]
