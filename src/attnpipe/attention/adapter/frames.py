"""What the running forward passes were given: padding, and how much a cache already holds."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn
from transformers import PreTrainedModel


@dataclass(frozen=True)
class TokenMask:
    """Which tokens of a batch are padding, as the caller says.

    Attributes
    ----------
    real
        False for padding; None: no padding, or nothing known.
    declared
        False if something was given that is no mask of these tokens: then only the
        model's own mask can tell.
    """

    real: Bool[Tensor, "sample token"] | None = None
    declared: bool = True

    def over(self, tokens: int, samples: int) -> "TokenMask":
        """Return the mask of so many tokens: itself, or nothing known if it does not fit."""
        if self.real is None:
            return self
        fits = self.real.shape[1] >= tokens and len(self.real) in (1, samples)
        return self if fits and not self.real[:, tokens:].any() else TokenMask(declared=False)

    def at(self, positions: Int64[Tensor, " position"]) -> Bool[Tensor, "#sample position"] | None:
        """Return the mask at some positions; keys of a cache beyond the last token are padding."""
        if self.real is None:
            return None
        beyond = max(0, int(positions.max()) + 1 - self.real.shape[1])
        return nn.functional.pad(self.real, (0, beyond))[:, positions]

    def starts(self, samples: int) -> Int64[Tensor, " sample"]:
        """Return how many padding tokens stand before each sample's first real one."""
        if self.real is None:
            return torch.zeros(samples, dtype=torch.int64)
        return self.real.int().argmax(1).cpu().expand(samples)


@dataclass(frozen=True)
class Frame:
    """What one running model was called with.

    Attributes
    ----------
    tokens
        Padding of the tokens that it reads.
    encoder_tokens
        Padding of the tokens that its cross-attention reads.
    past
        Tokens already in its cache.
    """

    tokens: TokenMask = field(default_factory=lambda: TokenMask(declared=False))
    encoder_tokens: TokenMask = field(default_factory=lambda: TokenMask(declared=False))
    past: int = 0


def frame_of(arguments: dict[str, Any], outer: Frame) -> Frame:
    """Return the frame of a call with these arguments inside an `outer` one."""
    past: Any = arguments.get("past_key_values")
    return Frame(
        tokens=_token_mask(arguments.get("attention_mask"), outer.tokens),
        encoder_tokens=_token_mask(arguments.get("encoder_attention_mask"), outer.encoder_tokens),
        past=0 if past is None else int(past.get_seq_length()),
    )


def _token_mask(given: Any, outer: TokenMask) -> TokenMask:
    """Return a mask of tokens; an inner model may be given one made ready by an outer one."""
    if given is None:
        return TokenMask()
    if isinstance(given, Tensor) and given.ndim == 2:
        return TokenMask(given != 0)
    return outer if outer.real is not None else TokenMask(declared=False)


class Frames:
    """The frames of all models that run.

    Attributes
    ----------
    passes
        Outermost calls so far.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._stack: list[Frame] = []

    @property
    def innermost(self) -> Frame:
        """Of the model that runs; one that knows nothing if none does."""
        return self._stack[-1] if self._stack else Frame()

    @contextmanager
    def following(self, model: nn.Module, active: Callable[[], bool]) -> Iterator[None]:
        """Keep the frames of a model and of all models inside it.

        Parameters
        ----------
        model
            The outer one.
        active
            Whether a call counts: calls from other threads do not.
        """
        with ExitStack() as hooks:
            for module in model.modules():
                if isinstance(module, PreTrainedModel):
                    enter = module.register_forward_pre_hook(self._enter(active), with_kwargs=True)
                    leave = module.register_forward_hook(self._leave(active), always_call=True)
                    hooks.callback(enter.remove)
                    hooks.callback(leave.remove)
            yield

    def _enter(self, active: Callable[[], bool]) -> Callable[..., None]:
        def enter(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            if active():
                self.passes += not self._stack
                self._stack.append(frame_of(bound(module, args, kwargs), self.innermost))

        return enter

    def _leave(self, active: Callable[[], bool]) -> Callable[..., None]:
        def leave(module: nn.Module, args: tuple, output: Any) -> None:
            if active():
                self._stack.pop()

        return leave


def bound(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name."""
    signature = inspect.signature(module.forward)
    try:
        given = signature.bind_partial(*args, **kwargs).arguments
    except TypeError:  # the call itself will say so better
        return dict(kwargs)
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given.update(given.pop(name, {}))
    return given
