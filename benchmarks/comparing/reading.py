"""What models read in a comparison: padded texts, texts of one length, packed ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from benchmarks.architectures import (
    ENCODER_DECODERS,
    PATCHES,
    VOCABULARY,
    ZOO,
    batch,
    declared_support,
    in_decoder,
    visible,
)
from torch import Tensor

from attnpipe.attention.adapter.sites import Site
from attnpipe.core.text import TokenText
from attnpipe.metrics.tokens.texts import Texts

SAMPLES, LENGTH, DECODER_LENGTH = 3, 24, 20
_WORDS = range(3, 9)
"""Few different tokens, so that many stand twice."""
_BREAKS = (9, 6)
"""Where the second of two packed texts begins, by sample."""
_PACKED = 14
MASKED = ("OPT", "BERT", "RoBERTa", "DistilBERT", "ALBERT", *ENCODER_DECODERS)
"""They tell packed texts apart by a mask of the user's own, not by positions."""


@dataclass(frozen=True)
class Reading:
    """A batch for one architecture.

    Attributes
    ----------
    name
        Of the architecture.
    inputs
        Arguments of its forward pass.
    side
        Where texts of different length are padded; None: there is no padding.
    breaks
        Where each sample's second text begins; None: each has one.
    """

    name: str
    inputs: dict[str, Any]
    side: str | None = None
    breaks: tuple[int, ...] | None = None

    def texts(self, site: Site) -> Texts:
        """Return the texts that a site's queries are of, without padding.

        The first token of each is special. Patches of images stand as tokens of three kinds.
        """
        found = {}
        for sample, ids in enumerate(self._ids(site)):
            place = np.arange(len(ids))
            first = place == 0
            if self.breaks is not None:
                first |= place == self.breaks[sample]
            offsets = np.stack([place, place + 1], axis=-1)
            found[sample] = TokenText("x" * len(ids), ids, offsets, first)
        return Texts.of(found)

    def support(self, site: Site) -> np.ndarray:
        """Return bool ``[sample, query, key]``: what a site should see."""
        if self.side is not None:
            return declared_support(self.name, site, range(len(self._ids(site))), self.side)
        lengths = [len(ids) for ids in self._ids(site)]
        queries, keys = lengths[0], lengths[0]
        if site.kind == "cross":
            keys = self.inputs["input_ids"].shape[1]
        seen = np.stack([visible(self.name, site, queries, keys)] * len(lengths))
        return seen if self.breaks is None else seen & _same_text(self.breaks, queries)

    def _ids(self, site: Site) -> list[np.ndarray]:
        if self.name == "ViT":
            return [np.arange(PATCHES) % 3] * len(self.inputs["pixel_values"])
        start = "decoder_" if in_decoder(self.name, site) else ""
        ids = self.inputs[f"{start}input_ids"].numpy()
        if self.side is None:
            return list(ids)
        real = self.inputs[f"{start}attention_mask"].bool().numpy()
        return [own[kept] for own, kept in zip(ids, real, strict=True)]


def padded(name: str, side: str) -> Reading:
    """Return three texts of different length."""
    inputs = batch(name, side=side)
    for key in ("input_ids", "decoder_input_ids"):
        if key in inputs:
            inputs[key] = torch.where(inputs[key] != 0, inputs[key] % 3 + 3, 0)
    return Reading(name, inputs, side=None if name == "ViT" else side)


def even(name: str) -> Reading:
    """Return three texts of one length, as studies of texts give them to a model."""
    if name == "ViT":
        return Reading(name, batch(name))
    inputs = {"input_ids": _draw(SAMPLES, LENGTH, seed=2)}
    if name in ENCODER_DECODERS:
        inputs["decoder_input_ids"] = _draw(SAMPLES, DECODER_LENGTH, seed=3)
    return Reading(name, inputs)


def packed(name: str) -> Reading | None:
    """Return two samples of two texts each, which do not see each other; None for images.

    They are told apart by positions that begin again or, in `MASKED`, by an additive mask,
    for which both texts of an encoder-decoder have the same lengths.
    """
    if name == "ViT":
        return None
    samples, decoder = len(_BREAKS), name in ENCODER_DECODERS
    inputs: dict[str, Any] = {"input_ids": _draw(samples, _PACKED, seed=4)}
    if decoder:
        inputs["decoder_input_ids"] = _draw(samples, _PACKED, seed=5)
    if name not in MASKED or name == "OPT":
        place, begin = torch.arange(_PACKED), torch.tensor(_BREAKS)[:, None]
        inputs |= {"position_ids": torch.where(place < begin, place, place - begin)}
        inputs |= {"use_cache": False}
    if name in MASKED:
        same = torch.from_numpy(_same_text(_BREAKS, _PACKED))[:, None]
        causal = same & torch.ones(_PACKED, _PACKED, dtype=torch.bool).tril()
        inputs["attention_mask"] = _additive(causal if ZOO[name].causal and not decoder else same)
        if decoder:
            inputs["decoder_attention_mask"] = _additive(causal)
    return Reading(name, inputs, breaks=_BREAKS)


def _draw(samples: int, length: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    assert _WORDS.stop <= VOCABULARY
    return torch.randint(_WORDS.start, _WORDS.stop, (samples, length), generator=generator)


def _same_text(breaks: tuple[int, ...], length: int) -> np.ndarray:
    """Return bool ``[sample, query, key]``: whether both are of the same text."""
    second = np.arange(length) >= np.array(breaks)[:, None]
    same: np.ndarray = second[:, :, None] == second[:, None, :]
    return same


def _additive(seen: Tensor) -> Tensor:
    """Return a mask that eager attention and sdpa take alike."""
    return torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)
