"""The fast path in every architecture of the parity page: output, folds, and what falls back."""

from unittest import mock

import pytest
import torch
from benchmarks.architectures import ENCODER_DECODERS, ZOO
from benchmarks.comparing.fused import KINDS, of_fused
from benchmarks.comparing.reading import even, packed, padded
from benchmarks.parity import DTYPES

from attnpipe.attention.kernel.engine import Kind
from attnpipe.attention.kernel.fused import Fused

NAMES = list(ZOO)
BIASED = ("T5",)


def expected(name: str) -> tuple[int, int]:
    """Return how many sites are fused, and how many there are."""
    count = 6 if name in ENCODER_DECODERS else 2
    return (0 if name in BIASED else count), count


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_output_and_folds(name: str, kind: Kind) -> None:
    for dtype_name in DTYPES:
        dtype = getattr(torch, dtype_name)
        found = of_fused(even(name), kind, dtype)
        assert (found.fused, found.sites) == expected(name)
        assert found.biased == found.sites - found.fused
        assert found.folds <= 1e-5, dtype
        limit = 1e-5 if dtype == torch.float32 else 4 * torch.finfo(dtype).eps
        assert found.output <= limit, dtype
        assert (found.output == 0) == (found.fused == 0)  # what is not fused is the model's own


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ViT"])
def test_packed_texts(name: str) -> None:
    for kind in KINDS:
        found = of_fused(packed(name), kind)
        assert (found.fused, found.sites) == expected(name)
        assert max(found.folds, found.output) <= 1e-5


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("ViT", *ENCODER_DECODERS)])
def test_padded_texts_have_the_models_own_output(name: str, side: str) -> None:
    found = of_fused(padded(name, side), "native")
    assert found.output == 0
    assert found.folds <= 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_is_not_the_models_is_seen(kind: Kind) -> None:
    attend = Fused.attend

    def off(self, layer, scores):
        context = attend(self, layer, scores)
        return context if context is None or layer else context * (1 + 1e-3)

    with mock.patch.object(Fused, "attend", off):
        found = of_fused(even("Llama"), kind)
    assert found.output > 1e-5
    assert found.folds <= 1e-5  # they are those of the q and k that arrive
