"""What a language model's answers lose when its attention is replaced."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from tokenizers import Tokenizer

from attnpipe.attention.adapter.checks import check_overrides
from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import Override, observing, overriding
from attnpipe.attention.interventions import in_layers, permuted, position_mean, uniform
from attnpipe.attention.means import MeanWeights
from attnpipe.core.progress import Progress, silent
from attnpipe.models.determinism import deterministic
from attnpipe.schema.analysis import AnswerSpec
from attnpipe.tables.text import TEXT_INTERVENTIONS
from attnpipe.tasks.answers import (
    AnswerBatch,
    answer_batches,
    answer_losses,
    other_answer_losses,
)
from attnpipe.text.reading import ModelText

INTACT, OTHERS = "intact", "other_answer"
"""Rows of `TEXT_INTERVENTIONS` that replace nothing: the right answer, another question's."""
ALL = "all"
FEWEST = {"uniform": 1, "permuted": 2, "position_mean": 4}
"""Texts that must be read together: a mean of one row is no mean."""

CHECKED = 2
"""Texts on which overrides are tried."""

Losses = np.ndarray


def intervene_texts(
    model: Any,
    name: str,
    texts: Sequence[ModelText],
    tokenizer: Tokenizer,
    options: AnswerSpec,
    dense_limit: int,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Replace a pretrained model's attention and score the right answers.

    In the whole model, and in groups of neighbouring layers. Texts are read together (up to
    32) that have the same variant, length and length of the answer. The mean row of a
    position is that of the other half of these, so that no text has a part in what replaces
    it; rows of other samples are those of another question among them.

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
    options
        What is done, in which variants.
    dense_limit
        Most tokens of texts whose mean rows are kept: a number per layer, head, query and key.
    progress
        Is told how many losses are known.

    Returns
    -------
    DataFrame
        `tables.TEXT_INTERVENTIONS`; a loss is null where fewer texts than `FEWEST` are read
        together, none has another answer, or mean rows would be too large.

    Raises
    ------
    UserError
        Replaced weights do not reach the model's output, or it changes when they are replaced
        by themselves.
    """
    groups = layer_groups(model.config.num_hidden_layers, options.layer_groups)
    batches = list(answer_batches(texts, tokenizer, variants=options.variants))
    _check(model, batches)
    rows: list[dict[str, object]] = []
    ways = 2 + len(options.interventions) * (1 + len(groups))
    wanted = ways * sum(len(batch.texts) for batch in batches)
    with deterministic(), adapted(model):
        for batch in batches:
            intact = answer_losses(model, batch)
            for intervention, layers, losses in _losses(
                model, batch, intact, options, groups, dense_limit
            ):
                rows += [
                    {
                        "model": name, "item": text.item, "question": text.question,
                        "variant": text.variant, "intervention": intervention, "layers": layers,
                        "loss": float(loss), "delta": float(loss - whole),
                    }
                    for text, loss, whole in zip(batch.texts, losses, intact, strict=True)
                ]  # fmt: skip
                progress("scoring answers", len(rows), wanted)
    table = TEXT_INTERVENTIONS.frame(rows).with_columns(pl.col("loss", "delta").fill_nan(None))
    return table.sort("item", maintain_order=True)


def _check(model: Any, batches: Sequence[AnswerBatch]) -> None:
    """Try overrides on a few of the texts, before any loss rests on them."""
    for batch in batches[:1]:
        with deterministic():
            ids = torch.from_numpy(batch.ids[:CHECKED])
            check_overrides(model, {"input_ids": ids, "use_cache": False})


def layer_groups(layers: int, groups: int) -> dict[str, range]:
    """Return name → neighbouring layers, in groups of nearly equal size; none for one."""
    if min(groups, layers) < 2:
        return {}
    parts = np.array_split(np.arange(layers), min(groups, layers))
    ranges = [range(int(part[0]), int(part[-1]) + 1) for part in parts]
    return {f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}": r for r in ranges}


def _losses(
    model: Any,
    batch: AnswerBatch,
    intact: Losses,
    options: AnswerSpec,
    groups: Mapping[str, range],
    dense_limit: int,
) -> Iterator[tuple[str, str | None, Losses]]:
    """Yield intervention, layers and losses of a batch's texts."""
    unknown = np.full(len(batch.texts), np.nan)
    yield INTACT, None, intact
    yield OTHERS, None, other_answer_losses(model, batch)
    where: dict[str, range | None] = {ALL: None, **groups}
    for name in options.interventions:
        large = name == "position_mean" and batch.ids.shape[1] > dense_limit
        if large or len(batch.texts) < FEWEST[name]:
            yield from ((name, layers, unknown) for layers in where)
            continue
        replaced = _REPLACED[name](model, batch)
        for layers, chosen in where.items():
            losses = np.empty(len(batch.texts))
            for part, override in replaced:
                acting = override if chosen is None else in_layers(override, chosen)
                with overriding(acting):
                    losses[part] = answer_losses(model, batch.part(part))
            yield name, layers, losses


Parts = list[tuple[np.ndarray, Override]]
"""Texts of a batch that are read together, and what acts on them."""


def _equal(model: Any, batch: AnswerBatch) -> Parts:
    return [(np.arange(len(batch.texts)), uniform())]


def _exchanged(model: Any, batch: AnswerBatch) -> Parts:
    return [(np.arange(len(batch.texts)), permuted())]


def _averaged(model: Any, batch: AnswerBatch) -> Parts:
    """Each half gets the other's mean rows."""
    halves = [np.arange(first, len(batch.texts), 2) for first in (0, 1)]
    return [
        (own, position_mean(_means(model, batch.part(other))))
        for own, other in zip(halves, reversed(halves), strict=True)
    ]


def _means(model: Any, batch: AnswerBatch) -> Mapping[int, Any]:
    weights = MeanWeights()
    with observing(weights):
        answer_losses(model, batch)
    return weights.means()


_REPLACED: Mapping[str, Callable[[Any, AnswerBatch], Parts]] = {
    "uniform": _equal,
    "position_mean": _averaged,
    "permuted": _exchanged,
}
