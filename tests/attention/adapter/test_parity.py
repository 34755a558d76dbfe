"""Every architecture of the table: the same metrics as from its own eager attention."""

from collections.abc import Sequence
from unittest import mock

import numpy as np
import pytest
import torch
from benchmarks.architectures import ENCODER_DECODERS, ZOO, batch, build, declared_support
from benchmarks.comparing.folds import Batteries, of_folds
from benchmarks.comparing.observed import Kept, eager_weights, exact_softmax, observe, output
from benchmarks.comparing.precision import of_dtype
from benchmarks.comparing.reading import Reading, even, padded
from benchmarks.comparing.rows import METRICS, by_sample, metrics, of_rows
from benchmarks.parity import DTYPES, SIDES, of_output, readings
from tests.metrics.reference import reference

from attnpipe.attention.adapter.sites import Site
from attnpipe.core.block import Block

NAMES = list(ZOO)
TEXTS = (0, 1, 2)
UNMOVABLE = ("BART", "ViT")
"""Their token positions count padding at the left, and they take no others."""


def observed(
    name: str, texts: Sequence[int] = TEXTS, side: str = "right", query_block: int | None = None
) -> tuple[dict[int, list[Block]], tuple[Site, ...]]:
    """Return each site's blocks, one per text."""
    kept = Kept()
    with exact_softmax():
        _, sites = observe(build(name), batch(name, texts, side), kept, query_block=query_block)
    return {layer: list(by_sample(blocks)) for layer, blocks in kept.blocks.items()}, sites


def real(block: Block) -> Block:
    """Return the rows and keys of a block's text without padding."""
    rows, keys = block.support.any(-1)[0], block.support.any(1)[0]
    return Block(
        block.weights[:, :, rows][..., keys],
        block.support[:, rows][..., keys],
        block.query_positions[rows],
        block.key_positions[keys],
        block.samples,
    )


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NAMES)
def test_metrics_are_those_of_eager_attention(name: str, side: str) -> None:
    blocks, sites = observed(name, side=side)
    inputs = batch(name, TEXTS, side)
    eager = eager_weights(name, torch.float64, inputs, sites)
    assert sorted(blocks) == [site.index for site in sites] == list(range(len(sites)))
    for site, weights in zip(sites, eager, strict=True):
        support = declared_support(name, site, TEXTS, side)
        for sample, block in enumerate(blocks[site.index]):
            want = reference(
                Block(
                    weights[sample, :, None],
                    support[[sample]],
                    block.query_positions,
                    block.key_positions,
                    block.samples,
                ),
                ks=(1, 3),
            )
            got = metrics(block)
            for metric in METRICS:
                np.testing.assert_allclose(
                    got[metric], want[metric], rtol=1e-6, atol=1e-6, err_msg=metric
                )


@pytest.mark.parametrize("name", ["Llama", "T5", "ViT"])
def test_the_page_compares_the_same_metrics(name: str) -> None:
    assert of_rows(padded(name, "left")) <= 1e-6


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NAMES)
def test_folds_are_those_of_eager_attention(name: str, side: str) -> None:
    """Incoming mass, lags, scores of heads, their distances, sinks, variation, row by row."""
    assert of_folds(padded(name, side)) <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_folds_without_padding_are_those_of_eager_attention(name: str) -> None:
    """At cross-attention, too."""
    assert of_folds(even(name)) <= 1e-6


@pytest.mark.parametrize("missing", [0, 5])
def test_a_fold_that_misses_rows_is_seen(missing: int) -> None:
    class Forgetful(Batteries):
        def observe(self, layer: int, block: Block) -> None:
            if layer != missing:
                super().observe(layer, block)

    with mock.patch("benchmarks.comparing.folds.Batteries", Forgetful):
        assert of_folds(even("BART")) > 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_output_is_the_models_own(name: str, dtype: str) -> None:
    for reading in readings(name):
        assert of_output(reading, getattr(torch, dtype)) == 0


def test_eager_functions_in_blocks_make_the_models_own_output_to_rounding() -> None:
    ids = {"input_ids": torch.randint(3, 60, (1, 300), generator=torch.Generator().manual_seed(0))}
    assert of_output(Reading("Gemma 2", ids)) <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_output_is_that_of_eager_attention(name: str) -> None:
    inputs = batch(name)
    with exact_softmax():  # in float64, as sdpa and eager round differently on every machine
        exact, _ = observe(build(name), inputs, Kept())
        eager = output(build(name, own="eager"), inputs)
    assert float((exact - eager).abs().max() / eager.abs().max()) <= 1e-9


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_lower_precision_keeps_the_metrics_of_its_q_and_k(name: str, dtype: str) -> None:
    assert of_dtype(padded(name, "right"), getattr(torch, dtype)) <= 1e-5


@pytest.mark.parametrize(
    ("name", "side"),
    [(name, "right") for name in NAMES] + [(n, "left") for n in NAMES if n not in UNMOVABLE],
)
def test_padding_and_batching_change_no_metric(name: str, side: str) -> None:
    batched, _ = observed(name, side=side)
    for text in TEXTS:
        single, sites = observed(name, [text])
        for site in sites:
            block = real(batched[site.index][text])
            assert block.query_positions.tolist() == list(range(block.weights.shape[2]))
            alone = metrics(real(single[site.index][0]))
            for metric, value in metrics(block).items():
                np.testing.assert_allclose(value, alone[metric], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("query_block", [1, 4])
@pytest.mark.parametrize("name", ["Mistral", "Gemma 2", "T5", "BERT"])
def test_block_size_changes_nothing(name: str, query_block: int) -> None:
    whole, sites = observed(name, side="left")
    split, _ = observed(name, side="left", query_block=query_block)
    for site in sites:
        for a, b in zip(whole[site.index], split[site.index], strict=True):
            torch.testing.assert_close(a.weights, b.weights, rtol=0.0, atol=1e-14)
            assert torch.equal(a.support, b.support)
            assert a.query_positions.tolist() == b.query_positions.tolist()


def test_positions_start_at_the_first_real_token() -> None:
    for name in ENCODER_DECODERS:
        blocks, sites = observed(name, side="left")
        cross = next(site for site in sites if site.kind == "cross")
        last = blocks[cross.index][2]
        assert last.query_positions.tolist() == list(range(-2, 5))
        assert last.key_positions.tolist() == list(range(-5, 4))
