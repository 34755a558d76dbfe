"""The one registration with transformers, and switching a model to it and back."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from attnpipe.attention.adapter.scores import Scores, row_blocks
from attnpipe.core.errors import UserError

NAME = "attnpipe"
"""Of the attention implementation in transformers' registry."""

Handler = Callable[..., tuple[Tensor, Tensor | None]]
"""``(module, query, key, value, mask, **options) → (output [sample, query, head, dim], None)``."""

_EAGER_ROWS = 128  # rows at a time where a model refuses sdpa

_HANDLER: ContextVar[Handler | None] = ContextVar("attention handler", default=None)


def _forward(module: nn.Module, *args: Any, **options: Any) -> tuple[Tensor, Tensor | None]:
    """Pass an attention module's call to whoever switched its model to this function."""
    handler = _HANDLER.get()
    if handler is None:
        raise UserError(
            f"{type(module).__name__} runs outside the context of adapted(): run the model in "
            "the thread that entered it"
        )
    return handler(module, *args, **options)


@contextmanager
def switched(model: nn.Module, handler: Handler) -> Iterator[None]:
    """Let all attention modules of a model call `handler`, in eval mode; undo it afterwards."""
    AttentionInterface.register(NAME, _forward)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    models = [m for m in model.modules() if isinstance(m, PreTrainedModel)]
    configs = {id(c): c for m in models for c in _with_sub_configs(m.config)}
    before = [(c, c._attn_implementation_internal) for c in configs.values()]
    training = [m for m in model.modules() if m.training]
    token = _HANDLER.set(handler)
    try:
        for config in configs.values():
            config._attn_implementation_internal = NAME
        model.eval()
        yield
    finally:
        _HANDLER.reset(token)
        for config, implementation in before:
            config._attn_implementation_internal = implementation
        for module in training:
            module.training = True


def is_active(handler: Handler) -> bool:
    """Return whether calls of this thread reach the handler."""
    return _HANDLER.get() is handler


def _with_sub_configs(config: Any) -> Iterator[Any]:
    yield config
    for name in config.sub_configs:
        if (inner := getattr(config, name, None)) is not None:
            yield from _with_sub_configs(inner)


def eager_function(module: nn.Module) -> Handler | None:
    """Return the eager attention that comes with a module's own model, if there is one."""
    return getattr(sys.modules.get(type(module).__module__), "eager_attention_forward", None)


def additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Return a mask as eager attention takes it: numbers to be added."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    zero = torch.zeros((), dtype=dtype, device=mask.device)
    return torch.where(mask, zero, torch.finfo(dtype).min)


def own_output(
    scores: Scores,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    refuses_sdpa: bool,
    options: dict[str, Any],
) -> Tensor:
    """Return what the module would have got without us, ``[sample, query, head, dim]``.

    That is sdpa or, where a model refuses sdpa (soft-capping), its own eager function on
    some query rows at a time, so that no matrix of all weights is held.
    """
    eager = eager_function(module)
    if not refuses_sdpa or eager is None:
        return sdpa_attention_forward(module, query, key, value, mask, **options)[0]
    parts = []
    for rows in row_blocks(query.shape[2], _EAGER_ROWS):
        some = dict(options)
        if (bias := options.get("position_bias")) is not None:
            some["position_bias"] = bias[:, :, rows]
        row_mask = additive(scores.acting_mask(rows), query.dtype)
        parts.append(eager(module, query[:, :, rows], key, value, row_mask, **some)[0])
    return torch.cat(parts, dim=1)
