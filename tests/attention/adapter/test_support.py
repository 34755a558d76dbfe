"""The model's own mask decides the support, and weight beyond what it declares is found."""

import numpy as np
import pytest
import torch
import transformers
from benchmarks.architectures import VOCABULARY, batch, build
from benchmarks.comparing.observed import Kept, observe, output

from attnpipe.attention.adapter.checks import check_masks
from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.adapter.scores import Pattern
from attnpipe.attention.hooks import observing
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.block import Block
from attnpipe.metrics.rows import REASONS, Rows
from attnpipe.metrics.validity import RowValidity
from attnpipe.schema.analysis import MetricsSpec

STEPS = 8
LAG = np.arange(STEPS)[:, None] - np.arange(STEPS)
OPTIONS = MetricsSpec()


def ids(samples: int = 1, steps: int = STEPS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(3, VOCABULARY, (samples, steps), generator=generator)


def first_block(name: str, inputs: dict, **options) -> Block:
    kept = Kept()
    observe(build(name), inputs, kept, **options)
    return kept.blocks[0][0]


def reasons(block: Block) -> np.ndarray:
    """Return the reason of each row of the first head, ``[sample, query]``; '' if valid."""
    return np.array(["", *REASONS])[Rows.from_block(block, 1e-5).reason[0]]


def test_packed_texts_do_not_see_each_other() -> None:
    positions = torch.tensor([[0, 1, 2, 3, 4, 0, 1, 2]])
    inputs = {"input_ids": ids(), "position_ids": positions, "use_cache": False}
    block = first_block("Llama", inputs)
    text = np.array([0] * 5 + [1] * 3)
    assert np.array_equal(block.support[0], (LAG >= 0) & (text[:, None] == text))
    assert (reasons(block) == "").all()
    checks = check_masks(build("Llama"), inputs)
    assert [(c.expected, c.beyond, c.hidden) for c in checks] == [(36, 0, 15)] * 2


@pytest.mark.parametrize("kind", ["bool", "float", "infinite"])
def test_a_mask_of_the_users_own_is_taken(kind: str) -> None:
    seen = torch.from_numpy((LAG >= 0) & (LAG != 2))
    seen[1] = False  # no mask of tokens is known, so that this is padding
    mask = seen
    if kind != "bool":
        lowest = -torch.inf if kind == "infinite" else torch.finfo(torch.float64).min
        mask = torch.zeros(STEPS, STEPS, dtype=torch.float64).masked_fill(~seen, lowest)
    block = first_block("Llama", {"input_ids": ids(), "attention_mask": mask[None, None]})
    assert np.array_equal(block.support[0], seen)
    assert reasons(block)[0].tolist() == ["", "padding", *[""] * 6]


def test_additive_bias_per_head_acts_and_hides_nothing() -> None:
    """As ALiBi: Press, Smith and Lewis (2022), each head its own slope."""
    slopes = torch.tensor([2.0, 1.0, 0.5, 0.25], dtype=torch.float64)[:, None, None]
    lag = torch.from_numpy(LAG)
    bias = (-slopes * lag).masked_fill(lag < 0, -torch.inf)[None]
    model, inputs = build("Llama"), {"input_ids": ids(), "attention_mask": bias}
    plain, kept = output(model, inputs), Kept()
    got, _ = observe(model, inputs, kept)
    assert torch.equal(got, plain)
    (block,) = kept.blocks[0]
    assert np.array_equal(block.support[0], LAG >= 0)
    without = first_block("Llama", {"input_ids": ids()}).weights
    want = (without.log() + bias.transpose(0, 1)).softmax(-1)
    torch.testing.assert_close(block.weights, want)


def test_masks_that_differ_between_heads_have_the_union_as_support() -> None:
    lag = torch.from_numpy(LAG)
    seen = torch.stack([(lag >= 0) & (lag < width) for width in (1, 2, 3, 4)])
    block = first_block("Llama", {"input_ids": ids(), "attention_mask": seen[None]})
    assert np.array_equal(block.support[0], (LAG >= 0) & (LAG < 4))
    assert torch.equal(block.weights[:, 0] > 0, seen)


@pytest.mark.parametrize("name", ["Llama", "BERT"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_queries_of_padding_have_no_support(name: str, side: str) -> None:
    kept = Kept()
    inputs = batch(name, side=side)
    observe(build(name), inputs, kept)
    for block in kept.blocks[0]:
        for row, sample in enumerate(block.samples.tolist()):
            real = inputs["attention_mask"][sample].bool()
            assert torch.equal(block.support[row].any(-1), real)
            assert not block.support[row][:, ~real].any()


def test_what_is_expected_can_be_said() -> None:
    mask = torch.from_numpy(LAG >= -1)[None, None]
    inputs = {"input_ids": ids(), "attention_mask": mask}
    assert (reasons(first_block("Llama", inputs)) == "off_support").sum() == STEPS - 1
    block = first_block("Llama", inputs, expected={0: Pattern()})
    assert (reasons(block) == "").all()
    assert np.array_equal(block.support[0], LAG >= -1)


def test_a_decoder_made_bidirectional_by_its_config() -> None:
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        is_causal=False,
    )
    model = transformers.LlamaModel(config).double().eval()
    kept = Kept()
    mask = torch.ones(2, STEPS, dtype=torch.int64)
    mask[1, 5:] = 0
    observe(model, {"input_ids": ids(2), "attention_mask": mask}, kept)
    (block,) = kept.blocks[0]
    assert block.support[0].all()
    assert (reasons(block)[0] == "").all()


def test_healthy_masks_are_as_declared() -> None:
    for name in ("Llama", "Mistral", "Gemma 2", "T5", "BART", "BERT"):
        for check in check_masks(build(name), batch(name, side="left")):
            assert check.expected > 0
            assert (check.beyond, check.hidden) == (0, 0), (name, check.site)


@pytest.mark.parametrize("where", ["q_proj", "embed_tokens"])
def test_nan_in_a_checkpoint_is_measured(where: str) -> None:
    model, folds = build("Llama"), LayerFolds(lambda layer: RowValidity(OPTIONS))
    with torch.no_grad():
        if where == "q_proj":
            model.model.layers[1].self_attn.q_proj.weight[0, 0] = torch.nan
        else:
            model.model.embed_tokens.weight[17] = torch.nan
    inputs = {"input_ids": ids().masked_fill(ids() == 17, 18)}
    inputs["input_ids"][0, 5] = 17
    with adapted(model), observing(folds):
        output(model, inputs)
    first, second = (folds.folds[layer].excluded("not_finite").tolist() for layer in (0, 1))
    if where == "q_proj":
        assert (first, second) == ([0] * 4, [8, 0, 0, 0])
    else:
        assert first == [3] * 4
        assert min(second) >= 3  # 0 · NaN of hidden values is up to sdpa
