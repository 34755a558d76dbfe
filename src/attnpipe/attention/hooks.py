"""What looks at attention weights, and what replaces them, during a forward pass.

Hooks live in a `ContextVar`: nothing is patched, threads do not see each other's
hooks, and leaving a context removes what it attached.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attnpipe.core.block import Block


@runtime_checkable
class Observer(Protocol):
    """Something that looks at weights: a recorder, or folds (`observers.LayerFolds`)."""

    def observe(self, layer: int, block: Block) -> None:
        """Take in some rows of a layer.

        The block's arrays are torch tensors; its weights are detached, are those that
        acted (overrides included) and must not be written to.
        """


Override = Callable[[int, Block], torch.Tensor | None]
"""``(layer, block) → weights`` broadcastable to ``[head, sample, query, key]``, or None
to leave the rows as they are. The block's weights still carry their gradient."""


@dataclass(frozen=True)
class Replacement:
    """An override, and whether what it returns is brought to row sums of 1."""

    override: Override
    normalize: bool


@dataclass(frozen=True)
class Output:
    """What attention gives back to the model: for each query, the mean of the values.

    Attributes
    ----------
    context
        Weighted means of the values, before any projection.
    real
        False for queries of padding.
    query_positions
        Absolute.
    samples
        Index of each sample in the probe set.
    """

    context: Float[Tensor, "sample head query dim"]
    real: Bool[Tensor, "#sample query"]
    query_positions: Int64[Tensor, " query"]
    samples: Int64[Tensor, " sample"]


OutputHook = Callable[[int, Output], Tensor | None]
"""``(layer, output) → context`` that acts instead, of the same shape, or None to leave it."""


@dataclass(frozen=True)
class Hooks:
    """All that is attached at a moment.

    Attributes
    ----------
    observers
        Given each block, in order.
    replacements
        Applied in order, the outermost context first.
    outputs
        Given each layer's output, in order, after its weights acted.
    samples
        Index of each sample of the batch in the probe set; None: 0, 1, ….
    """

    observers: tuple[Observer, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    outputs: tuple[OutputHook, ...] = ()
    samples: torch.Tensor | None = None


_HOOKS: ContextVar[Hooks] = ContextVar("attention hooks", default=Hooks())  # noqa: B039 (frozen)


def current_hooks() -> Hooks:
    """Return the hooks attached to the running context."""
    return _HOOKS.get()


@contextmanager
def _attached(hooks: Hooks) -> Iterator[None]:
    token = _HOOKS.set(hooks)
    try:
        yield
    finally:
        _HOOKS.reset(token)


@contextmanager
def observing(*observers: Observer) -> Iterator[None]:
    """Show every block of attention rows computed inside to the observers."""
    hooks = current_hooks()
    with _attached(replace(hooks, observers=hooks.observers + observers)):
        yield


@contextmanager
def overriding(override: Override, *, normalize: bool = True) -> Iterator[None]:
    """Replace attention weights inside.

    Parameters
    ----------
    override
        See `Override`. What it puts off the support is dropped.
    normalize
        Bring rows to sum 1 on their support. False is for replacements that are meant
        not to be distributions, such as zero.
    """
    hooks = current_hooks()
    added = Replacement(override, normalize)
    with _attached(replace(hooks, replacements=(*hooks.replacements, added))):
        yield


@contextmanager
def on_output(hook: OutputHook) -> Iterator[None]:
    """Look at what each layer's attention gives back inside, or replace it."""
    hooks = current_hooks()
    with _attached(replace(hooks, outputs=(*hooks.outputs, hook))):
        yield


@contextmanager
def on_samples(samples: Int64[torch.Tensor, " sample"]) -> Iterator[None]:
    """Say which probe samples the batches inside hold."""
    with _attached(replace(current_hooks(), samples=samples)):
        yield
