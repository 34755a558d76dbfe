"""Where what is attached sees the weights of one layer, or replaces them."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores, row_blocks
from attnpipe.attention.attend import pass_weights
from attnpipe.attention.hooks import Hooks

_BLOCK_ELEMENTS = 2**20  # 4 MB of float32 weights at a time


@runtime_checkable
class ScoresObserver(Protocol):
    """An observer that computes what it wants from `Scores` instead of being shown blocks.

    It must also be an `Observer`: where weights are replaced it is shown those in blocks.
    """

    def attend(self, layer: int, scores: Scores) -> Tensor | None:
        """Take in all rows of a layer.

        Returns
        -------
        Tensor or None
            ``softmax(…) @ v``, ``[sample, head, query, dim]``, if it came by the way; None:
            the model's own function computes it.
        """


def attend_scores(
    layer: int, scores: Scores, hooks: Hooks, query_block: int | None
) -> Tensor | None:
    """Show a layer to all observers and let overrides replace its weights.

    Weights are computed in blocks of query rows, shown and dropped.

    Parameters
    ----------
    layer
        Index of the attention site.
    scores
        The layer.
    hooks
        What is attached; its `samples` do not matter, those of the scores do.
    query_block
        Rows per block; None: as many as keep a block's weights below 4 MB of float32.

    Returns
    -------
    Tensor or None
        The layer's context, ``[sample, head, query, dim]``, if weights were replaced or an
        observer computed it and no gradient is wanted; None: nothing changes the model's own.

    Raises
    ------
    UserError
        An override returned something that is no set of weights.
    """
    replaced = bool(hooks.replacements)
    fused, shown = [], []
    for observer in hooks.observers:
        if isinstance(observer, ScoresObserver) and not replaced:
            fused.append(observer)
        else:
            shown.append(observer)
    differentiable = torch.is_grad_enabled() and scores.q.requires_grad
    with torch.set_grad_enabled(differentiable and replaced):
        made = [observer.attend(layer, scores) for observer in fused]
        rest = replace(hooks, observers=tuple(shown), samples=scores.samples)
        context = _in_blocks(layer, scores, rest, query_block) if shown or replaced else None
    if replaced:
        return context
    return None if differentiable else next((c for c in made if c is not None), None)


def _in_blocks(layer: int, scores: Scores, hooks: Hooks, query_block: int | None) -> Tensor | None:
    """Show a layer's weights block by block; return its context if they are replaced."""
    samples, heads, queries, _ = scores.q.shape
    step = query_block or max(1, _BLOCK_ELEMENTS // (samples * heads * scores.k.shape[2]))
    contexts = []
    for rows in row_blocks(queries, step):
        weights = pass_weights(
            hooks,
            layer,
            scores.weights(rows),
            scores.support(rows)[:, None],
            scores.query_positions[rows],
            scores.key_positions,
            scores.v,
        )
        if hooks.replacements:
            contexts.append(scores.context(weights))
    return torch.cat(contexts, dim=2) if contexts else None
