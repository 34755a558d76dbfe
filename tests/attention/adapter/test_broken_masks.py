"""Models whose mask is off by one, or forgets padding, are caught."""

from collections.abc import Callable
from unittest import mock

import torch
from benchmarks.architectures import batch, build
from benchmarks.comparing.observed import output
from tests.attention.adapter.test_support import OPTIONS, STEPS, ids
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask

from attnpipe.attention.adapter.checks import check_masks
from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.attention.observers import LayerFolds
from attnpipe.metrics.rows import REASONS
from attnpipe.metrics.validity import RowValidity


def shifted(by: int) -> Callable[..., torch.Tensor]:
    """Return a causal mask whose row q sees keys up to q + by."""

    def mask(config, inputs_embeds, attention_mask, **rest) -> torch.Tensor:
        steps = torch.arange(inputs_embeds.shape[1])
        seen = steps[None, :] <= steps[:, None] + by
        if attention_mask is not None:
            seen = seen & attention_mask.bool()[:, None, None, :]
        return seen.expand(len(inputs_embeds), 1, -1, -1)

    return mask


def broken(name: str, mask, inputs: dict, target: str) -> dict[str, int]:
    """Return the rows of the first layer and head by reason, under a replaced mask."""
    folds = LayerFolds(lambda layer: RowValidity(OPTIONS))
    model = build(name)
    module = type(model).__module__
    with mock.patch(f"{module}.{target}", mask), adapted(model), observing(folds):
        output(model, inputs)
    fold = folds.folds[0]
    return {"valid": int(fold.valid[0])} | {
        reason: int(fold.excluded(reason)[0]) for reason in REASONS
    }


def test_a_causal_mask_off_by_one_is_caught() -> None:
    got = broken("Llama", shifted(1), {"input_ids": ids(2)}, "create_causal_mask")
    assert got["off_support"] == 2 * (STEPS - 1)
    assert got["valid"] == 2  # the last query has no next token


def test_a_causal_mask_that_hides_the_query_itself_is_caught() -> None:
    got = broken("Llama", shifted(-1), {"input_ids": ids(2)}, "create_causal_mask")
    assert got["sum"] == 2  # the first query sees nothing
    with mock.patch("transformers.models.llama.modeling_llama.create_causal_mask", shifted(-1)):
        checks = check_masks(build("Llama"), {"input_ids": ids(2)})
    assert [(c.beyond, c.hidden) for c in checks] == [(0, 2 * STEPS)] * 2


def test_a_mask_that_forgets_padding_is_caught() -> None:
    def forgets(config, inputs_embeds, attention_mask, **rest):
        return shifted(0)(config, inputs_embeds, None)

    inputs = batch("Llama", side="left")
    got = broken("Llama", forgets, inputs, "create_causal_mask")
    assert got["off_support"] == 6 + 4  # the texts that are padded at the left
    assert got["padding"] == 3 + 5


def test_a_window_off_by_one_is_caught() -> None:
    def wider(config, **rest):
        config.sliding_window += 1
        try:
            return create_sliding_window_causal_mask(config, **rest)
        finally:
            config.sliding_window -= 1

    got = broken("Mistral", wider, {"input_ids": ids()}, "create_sliding_window_causal_mask")
    assert got["off_support"] == STEPS - 4
    assert got["valid"] == 4


def test_an_encoder_that_is_causal_is_seen_to_hide_keys() -> None:
    def causal(config, inputs_embeds, attention_mask, **rest):
        return shifted(0)(config, inputs_embeds, attention_mask)

    target = "transformers.models.bert.modeling_bert.create_bidirectional_mask"
    with mock.patch(target, causal):
        checks = check_masks(build("BERT"), {"input_ids": ids()})
    assert [(c.expected, c.beyond, c.hidden) for c in checks] == [(64, 0, 28)] * 2


def test_causal_masks_of_the_library_are_what_is_patched_here() -> None:
    config = build("Llama").config
    config._attn_implementation_internal = "sdpa"
    real = create_causal_mask(
        config,
        inputs_embeds=torch.zeros(1, STEPS, 1),
        attention_mask=None,
        past_key_values=None,
        allow_is_causal_skip=False,
    )
    assert torch.equal(real, shifted(0)(None, torch.zeros(1, STEPS, 1), None))
