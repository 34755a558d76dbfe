"""Folds of captured rows against those of the model's own eager weights, in float64."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from benchmarks.architectures import build
from benchmarks.comparing.observed import eager_weights, exact_softmax, observe
from benchmarks.comparing.reading import Reading
from benchmarks.comparing.rows import OPTIONS, difference
from torch import Tensor

from attnpipe.attention.adapter.context import sites
from attnpipe.attention.adapter.sites import Site
from attnpipe.attention.kernel.streaming import StreamingBattery
from attnpipe.core.block import Block
from attnpipe.metrics.tokens.battery import TokenBattery

Battery = TokenBattery | StreamingBattery


@dataclass
class Batteries:
    """An observer that fills all folds of some sites."""

    folds: Mapping[int, Battery]

    def observe(self, layer: int, block: Block) -> None:
        """Give the rows to the site's folds."""
        if layer in self.folds:
            self.folds[layer].update(block)


def battery_of(reading: Reading, site: Site) -> Battery:
    """Return empty folds: those of tokens at self-attention, those that need none elsewhere."""
    if site.kind == "cross":
        return StreamingBattery(OPTIONS)
    return TokenBattery(OPTIONS, reading.texts(site))


def filled(reading: Reading, site: Site, weights: Tensor) -> Battery:
    """Return a site's folds over weights ``[sample, head, query, key]``.

    On what the site should see, and of self-attention without padding.
    """
    battery, support, weights = battery_of(reading, site), reading.support(site), weights.double()
    samples = np.arange(len(support))
    for own in [samples] if reading.side is None else samples[:, None]:
        seen = support[own]
        rows, keys = (np.flatnonzero(seen.any((0, axis))) for axis in (2, 1))
        if site.kind == "cross":
            rows, keys = np.arange(seen.shape[1]), np.arange(seen.shape[2])
        shown = weights[own].numpy().swapaxes(0, 1)[:, :, rows][..., keys]
        places = np.arange(len(rows)), np.arange(len(keys))
        battery.update(Block(shown, seen[:, rows][..., keys], *places, own))
    return battery


def sums(battery: Battery) -> dict[str, np.ndarray]:
    """Return all that a battery holds as numbers."""
    return {name: np.asarray(value, dtype=float) for name, value in battery.state().items()}


def of_folds(reading: Reading) -> float:
    """Return the largest difference of any sum of any fold to eager weights'.

    Where texts are padded, at self-attention alone: positions of padding are no tokens of
    a text, and folds that know no tokens would name them.
    """
    model = build(reading.name)
    own = [s for s in sites(model) if s.kind == "self" or reading.side is None]
    seen = Batteries({site.index: battery_of(reading, site) for site in own})
    with exact_softmax():
        observe(model, reading.inputs, seen)
    eager = eager_weights(reading.name, torch.float64, reading.inputs, own)
    return max(
        difference(sums(seen.folds[site.index]), sums(filled(reading, site, weights)))
        for site, weights in zip(own, eager, strict=True)
    )
