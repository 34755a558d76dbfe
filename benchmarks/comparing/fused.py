"""The fast path of studies of texts against the model's own output and exact weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from benchmarks.architectures import build
from benchmarks.comparing.folds import filled, sums
from benchmarks.comparing.observed import observe, output
from benchmarks.comparing.precision import exact_weights
from benchmarks.comparing.reading import Reading
from benchmarks.comparing.rows import OPTIONS, difference
from torch import Tensor

from attnpipe.attention.adapter.context import sites
from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.adapter.sites import Site
from attnpipe.attention.kernel.engine import Kind
from attnpipe.attention.kernel.fused import Fused, FusedBattery
from attnpipe.attention.kernel.fused_tokens import FusedTokenBattery
from attnpipe.core.block import Block

KINDS: tuple[Kind, ...] = ("native", "array")


@dataclass
class BySite:
    """An observer that hands every site to its folds, and keeps what came of it."""

    of: Mapping[int, Fused]
    parts: dict[int, list[Scores]] = field(default_factory=dict)
    made: dict[int, list[bool]] = field(default_factory=dict)

    def observe(self, layer: int, block: Block) -> None:
        """Pass rows on."""
        self.of[layer].observe(layer, block)

    def attend(self, layer: int, scores: Scores) -> Tensor | None:
        """Pass scores on; note whether the output came by the way."""
        context = self.of[layer].attend(layer, scores)
        self.parts.setdefault(layer, []).append(scores)
        self.made.setdefault(layer, []).append(context is not None)
        return context

    def exact(self, layer: int, support: np.ndarray) -> Tensor:
        """Return float64 weights of a layer: its samples come apart where padded at the left."""
        samples = torch.cat([part.samples for part in self.parts[layer]])
        parts = ((part, support[part.samples.numpy()]) for part in self.parts[layer])
        return torch.cat([exact_weights(*of) for of in parts])[samples.argsort()]


@dataclass(frozen=True)
class FusedParity:
    """How the fast path differs.

    Attributes
    ----------
    output
        Largest difference of the output to the model's own, relative to the largest output.
    folds
        Largest difference of any sum of any fold to that of float64 weights of the same q, k.
    sites, fused
        The model's attention sites, and how many of them were fused.
    biased
        How many have a bias added to their logits.
    """

    output: float
    folds: float
    sites: int
    fused: int
    biased: int

    @property
    def told(self) -> str:
        """Which sites were fused, in words."""
        whole = f"{self.fused} of {self.sites}"
        return f"{whole}: bias" if self.biased == self.sites - self.fused > 0 else whole


def of_fused(reading: Reading, kind: Kind, dtype: torch.dtype = torch.float32) -> FusedParity:
    """Return how one engine's folds and output differ, in a model of a dtype.

    `FusedTokenBattery` at self-attention, `FusedBattery` where queries and keys are of
    different texts.
    """
    model = build(reading.name, dtype)
    plain = output(model, reading.inputs)
    found = sites(model)
    seen = BySite({site.index: _fused(reading, site, kind) for site in found})
    made, _ = observe(model, reading.inputs, seen)
    folds = 0.0
    for site in found:
        exact = seen.exact(site.index, reading.support(site))
        got = sums(seen.of[site.index].folds[site.index])
        folds = max(folds, difference(got, sums(filled(reading, site, exact))))
    return FusedParity(
        output=float((made - plain).abs().max() / plain.abs().max()),
        folds=folds,
        sites=len(found),
        fused=sum(all(made) for made in seen.made.values()),
        biased=sum(parts[0].bias is not None for parts in seen.parts.values()),
    )


def _fused(reading: Reading, site: Site, kind: Kind) -> Fused:
    if site.kind == "cross":
        return FusedBattery(OPTIONS, kind)
    return FusedTokenBattery(OPTIONS, reading.texts(site), kind)
