"""Finding a model's attention sites by running it once, and refusing models that hide them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from attnpipe.attention.adapter.describe import describe
from attnpipe.attention.adapter.frames import Frames, bound
from attnpipe.attention.adapter.interface import (
    additive,
    eager_function,
    is_active,
    own_output,
    switched,
)
from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.adapter.sites import Site, number
from attnpipe.core.errors import UserError

_CROSS = ("key_value_states", "encoder_hidden_states")  # transformers' names of other keys
_COMPARED_ROWS = 64
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Probed:
    """What one run told.

    Attributes
    ----------
    sites
        In the order of execution.
    modules
        The module of each site.
    refuse_sdpa
        Modules of models that have no sdpa.
    """

    sites: tuple[Site, ...]
    modules: tuple[nn.Module, ...]
    refuse_sdpa: frozenset[nn.Module]


def default_inputs(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return the smallest inputs on which all of a text or image model runs.

    Raises
    ------
    UserError
        The model reads something else.
    """
    device, name = model.device, model.main_input_name
    if name == "input_ids":
        vocabulary = model.config.get_text_config().vocab_size
        ids = torch.arange(5, 9, device=device)[None] % vocabulary
        decoder = {"decoder_input_ids": ids[:, 1:]} if model.config.is_encoder_decoder else {}
        return {"input_ids": ids, **decoder}
    if name == "pixel_values" and hasattr(model.config, "image_size"):
        size = model.config.image_size
        height, width = (size, size) if isinstance(size, int) else size
        pixels = torch.linspace(-1, 1, height * width, dtype=model.dtype, device=device)
        shape = (1, model.config.num_channels, height, width)
        return {name: pixels.reshape(height, width).expand(shape)}
    raise UserError(
        f"{type(model).__name__} reads '{name}', for which there is no default: pass inputs"
    )


def probe(model: nn.Module, inputs: Mapping[str, Any] | None) -> Probed:
    """Run a model once and note each call of its attention function.

    The weights that are computed for observers are compared with those of the model's own
    eager function.

    Raises
    ------
    UserError
        Attention does not go through `transformers.AttentionInterface`, or is more than a
        softmax of masked, biased and capped q·k.
    """
    if not isinstance(model, PreTrainedModel):
        raise UserError(
            f"{type(model).__name__} is no transformers.PreTrainedModel: call attention.attend "
            "in models of your own"
        )
    calls: list[nn.Module] = []
    frames = Frames()
    refusing = _modules_without_sdpa(model)

    def note(
        module: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, None]:
        calls.append(module)
        samples = torch.arange(len(q))
        scores, _ = describe(
            module,
            q,
            k,
            v,
            mask,
            options,
            cross=False,
            frame=frames.innermost,
            expected=None,
            samples=samples,
        )
        _compare(module, scores, options)
        refuses = module in refusing
        out = own_output(scores, module, q, k, v, mask, refuses_sdpa=refuses, options=options)
        return out, None

    with (
        frames.following(model, lambda: is_active(note)),
        _watched(model, calls) as (cross, silent),
        torch.no_grad(),
        switched(model, note),
    ):
        model(**(default_inputs(model) if inputs is None else inputs))
    if silent or not calls:
        own = type(silent[0] if silent else model).__name__
        raise UserError(
            f"attention of {type(model).__name__} cannot be observed: {own} does not go through "
            "transformers.AttentionInterface; use a model that does"
        )
    sites = number(model, [(module, module in cross) for module in calls])
    return Probed(sites, tuple(calls), frozenset(refusing.intersection(calls)))


@contextmanager
def _watched(
    model: nn.Module, calls: list[nn.Module]
) -> Iterator[tuple[set[nn.Module], list[nn.Module]]]:
    """Collect modules that are given other keys, and attention modules that call nothing.

    An attention module is one whose class is named so, as all of transformers' are.
    """
    cross: set[nn.Module] = set()
    silent: list[nn.Module] = []
    calls_before: list[int] = []

    def enter(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        arguments = bound(module, args, kwargs)
        if any(arguments.get(name) is not None for name in _CROSS):
            cross.add(module)
        calls_before.append(len(calls))

    def leave(module: nn.Module, args: tuple, output: Any) -> None:
        if calls_before.pop() == len(calls):
            silent.append(module)

    with ExitStack() as hooks:
        for module in model.modules():
            if type(module).__name__.endswith("Attention"):
                hooks.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
                hooks.callback(module.register_forward_hook(leave, always_call=True).remove)
        yield cross, silent


def _modules_without_sdpa(model: PreTrainedModel) -> set[nn.Module]:
    """Return the modules whose innermost model has no sdpa."""
    refusing: set[nn.Module] = set()
    for inner in model.modules():  # outer models come first
        if isinstance(inner, PreTrainedModel):
            update = refusing.difference_update if inner._supports_sdpa else refusing.update
            update(inner.modules())
    return refusing


def _compare(module: nn.Module, scores: Scores, options: dict[str, Any]) -> None:
    """Refuse a module whose own eager weights are not those of its scores."""
    eager = eager_function(module)
    if eager is None:
        return
    queries, dtype = scores.q.shape[2], torch.float32
    rows = slice(max(0, queries - _COMPARED_ROWS), queries)
    some = {k: v for k, v in options.items() if k != "position_bias"}
    if scores.bias is not None:
        some["position_bias"] = scores.bias[:, :, rows].to(dtype)
    # The formula is compared, not what a damaged checkpoint makes of it.
    q, k, v = (x.to(dtype).nan_to_num() for x in (scores.q, scores.k, scores.v))
    mask = additive(scores.acting_mask(rows), dtype)
    want = eager(module, q[:, :, rows], k, v, mask, **some)[1]
    if want is None:
        return
    got = replace(scores, q=q, k=k, v=v).weights(rows)
    if got.shape == want.shape:
        seen = scores.visible(rows).any(-1)[:, None, :, None]
        got, want = (torch.where(seen, x, 0.0).to(dtype) for x in (got, want))
        if torch.allclose(got, want, rtol=0.0, atol=_TOLERANCE, equal_nan=True):
            return
    raise UserError(
        f"attention of {type(module).__name__} is more than a softmax of masked, biased and "
        "capped q·k: its weights cannot be computed here; use a model without such additions"
    )
