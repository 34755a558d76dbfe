"""The one place where attention weights are computed and used."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attnpipe.attention.hooks import Hooks, Output, Replacement, current_hooks
from attnpipe.core.block import Block
from attnpipe.core.errors import UserError

ScoreBlock = Callable[[slice], Tensor]
"""``rows → logits [sample, head, rows, key]`` of a slice of query rows."""

_BLOCK_ELEMENTS = 2**24  # 64 MB of float32 weights at a time


def attend(
    score_block: ScoreBlock,
    values: Float[Tensor, "sample head key dim"],
    support: Bool[Tensor, "#sample 1 #query #key"],
    *,
    query_positions: Int64[Tensor, " query"],
    key_positions: Int64[Tensor, " key"],
    layer: int,
    query_block: int | None = None,
) -> Float[Tensor, "sample head query dim"]:
    """Return the means of `values` under softmax weights: ``softmax(logits on support) @ values``.

    Rows are computed in blocks. Weights off the support are exactly 0, and so are all
    weights of a query without support (padding). Differentiable in logits and values.
    Attached observers and overrides (`attention.hooks`) see and replace the weights.

    Parameters
    ----------
    score_block
        Logits ``[sample, head, rows, key]`` of a slice of query rows; any finite number,
        or −inf. Off the support they are ignored.
    values
        What is averaged, ``[sample, head, key, dim]``.
    support
        Keys each query may see, broadcastable to ``[sample, 1, query, key]``.
    query_positions, key_positions
        Absolute positions.
    layer
        Zero-based index of the attention layer, as hooks see it.
    query_block
        Query rows per block; None: as many as keep a block below 64 MB of float32.

    Raises
    ------
    UserError
        An override returned something that is no set of weights.
    """
    samples, heads, keys, _ = values.shape
    hooks = current_hooks()
    if hooks.samples is not None and len(hooks.samples) != samples:
        raise ValueError(f"on_samples names {len(hooks.samples)} samples, the batch has {samples}")
    support = support.expand(-1, -1, -1, keys)
    everything = bool(support.all())
    rows_per_block = query_block or max(1, _BLOCK_ELEMENTS // max(1, samples * heads * keys))
    contexts = []
    for rows in _slices(len(query_positions), rows_per_block):
        visible = support if support.shape[2] == 1 else support[:, :, rows]
        weights = _softmax(score_block(rows), None if everything else visible)
        if hooks.observers or hooks.replacements:
            weights = pass_weights(
                hooks, layer, weights, visible, query_positions[rows], key_positions, values
            )
        contexts.append(weights @ values)
    context = contexts[0] if len(contexts) == 1 else torch.cat(contexts, dim=2)
    if hooks.outputs:
        real = support.any(-1).squeeze(1).expand(-1, len(query_positions))
        numbers = torch.arange(samples) if hooks.samples is None else hooks.samples
        return pass_output(hooks, layer, Output(context, real, query_positions, numbers))
    return context


def _slices(length: int, step: int) -> Iterator[slice]:
    return (slice(i, min(i + step, length)) for i in range(0, max(length, 1), step))


def _softmax(
    logits: Float[Tensor, "sample head query key"],
    visible: Bool[Tensor, "#sample 1 #query key"] | None,
) -> Float[Tensor, "sample head query key"]:
    """Softmax over visible keys; None: all are visible."""
    if visible is None:
        return logits.softmax(-1)
    hidden = ~visible
    # A row without support is NaN after the softmax; the second fill makes it 0 and
    # stops its gradient.
    return logits.masked_fill(hidden, -torch.inf).softmax(-1).masked_fill(hidden, 0.0)


def pass_output(hooks: Hooks, layer: int, output: Output) -> Float[Tensor, "sample head query dim"]:
    """Return a layer's output after every hook on outputs had its turn.

    Raises
    ------
    UserError
        A hook returned another shape.
    """
    for hook in hooks.outputs:
        new = hook(layer, output)
        if new is None:
            continue
        if new.shape != output.context.shape:
            raise UserError(
                f"an output hook returned shape {tuple(new.shape)} in layer {layer}: return "
                f"[sample, head, query, dim], here {tuple(output.context.shape)}"
            )
        output = replace(output, context=new.to(output.context.dtype))
    return output.context


def pass_weights(
    hooks: Hooks,
    layer: int,
    weights: Float[Tensor, "sample head query key"],
    visible: Bool[Tensor, "#sample 1 #query key"],
    query_positions: Int64[Tensor, " query"],
    key_positions: Int64[Tensor, " key"],
    values: Float[Tensor, "sample kvhead key dim"],
) -> Float[Tensor, "sample head query key"]:
    """Return some rows' weights after every override acted and every observer looked."""
    samples = torch.arange(weights.shape[0]) if hooks.samples is None else hooks.samples

    def block(of: Tensor) -> Block:
        return Block(
            of.transpose(0, 1),
            visible.squeeze(1),
            query_positions,
            key_positions,
            samples,
            values.transpose(0, 1),
        )

    for replacement in hooks.replacements:
        weights = _replace(replacement, layer, block(weights)).transpose(0, 1)
    if hooks.observers:
        seen = block(weights.detach())
        for observer in hooks.observers:
            observer.observe(layer, seen)
    return weights


def _replace(
    replacement: Replacement, layer: int, block: Block
) -> Float[Tensor, "head sample query key"]:
    """Return the override's weights on the support, or the block's own if it returns None."""
    weights: Tensor = block.weights
    new = replacement.override(layer, block)
    if new is None:
        return weights
    try:
        new = new.to(weights.dtype).expand(weights.shape)
    except RuntimeError:
        raise UserError(
            f"an attention override returned shape {tuple(new.shape)} in layer {layer}: "
            f"return [head, sample, query, key], here {tuple(weights.shape)}"
        ) from None
    new = torch.where(block.support, new, 0.0)
    if not bool(torch.isfinite(new).all()) or bool((new < 0).any()):
        raise UserError(
            f"an attention override returned negative or non-finite weights in layer {layer}: "
            "return weights ≥ 0"
        )
    if not replacement.normalize:
        return new
    total = new.sum(-1, keepdim=True)
    empty = total == 0
    if bool((empty & block.support.any(-1, keepdim=True)).any()):
        raise UserError(
            f"an attention override left a row of layer {layer} without weight on its support: "
            "put weight on a visible key, or override with normalize=False"
        )
    return new / total.masked_fill(empty, 1.0)
