"""The attention sites of a model: which modules compute attention, in which order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn


@dataclass(frozen=True)
class Site:
    """One call of an attention module in a forward pass.

    Attributes
    ----------
    index
        Zero-based, in the order of execution: the `layer` of observers and overrides.
    name
        Dotted name of the module. A module that serves several layers has several sites.
    kind
        ``self``, or ``cross`` where keys come from another sequence than queries.
    layer
        Zero-based layer in its stack (encoder, decoder).
    """

    index: int
    name: str
    kind: Literal["self", "cross"]
    layer: int


def number(model: nn.Module, calls: Sequence[tuple[nn.Module, bool]]) -> tuple[Site, ...]:
    """Return the sites of the attention calls of one forward pass.

    Parameters
    ----------
    model
        Where the modules' names come from.
    calls
        Module and whether it was cross-attention, in the order of execution.
    """
    names = {module: name for name, module in model.named_modules()}
    times = Counter(module for module, _ in calls)
    seen: Counter[tuple[str, bool]] = Counter()
    sites = []
    for index, (module, cross) in enumerate(calls):
        stack, layer = _place(names[module])
        if layer is None or times[module] > 1:  # its name does not tell
            layer = seen[stack, cross]
        seen[stack, cross] += 1
        sites.append(Site(index, names[module], "cross" if cross else "self", layer))
    return tuple(sites)


def _place(name: str) -> tuple[str, int | None]:
    """Return what precedes the first number in a dotted name, and the number."""
    parts = name.split(".")
    for place, part in enumerate(parts):
        if part.isdigit():
            return ".".join(parts[:place]), int(part)
    return name, None
