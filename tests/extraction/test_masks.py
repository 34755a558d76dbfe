"""Models whose mask is off by one: what is hidden is refused, what leaks is measured."""

from unittest import mock

import numpy as np
import polars as pl
import pytest
import torch
from tests.text.tiny_model import save_tiny_llama
from transformers import MistralConfig, MistralForCausalLM

from attnpipe.core.errors import UserError
from attnpipe.core.text import TokenText
from attnpipe.extraction.text.masks import check_visible
from attnpipe.extraction.text.run import capture_texts
from attnpipe.pretrained.load import load_model
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.text.reading import ModelText
from attnpipe.text.tokens import load_tokenizer

LENGTHS = (9, 12)
WINDOWED = "transformers.models.mistral.modeling_mistral.create_sliding_window_causal_mask"
MASK = "transformers.models.llama.modeling_llama.create_causal_mask"


def shifted(by):
    """Return a mask whose row q sees keys up to q + by."""

    def mask(config, inputs_embeds, attention_mask, **rest):
        steps = torch.arange(inputs_embeds.shape[1])
        return (steps <= steps[:, None] + by).expand(len(inputs_embeds), 1, -1, -1)

    return mask


@pytest.fixture
def capture(tmp_path):
    """Return what captures texts of a tiny model under a mask."""
    save_tiny_llama(tmp_path)
    texts = []
    for item, length in enumerate(LENGTHS):
        ids, place = 3 + np.arange(length), np.arange(length)
        offsets = np.stack([place, place + 1], axis=1)
        tokens = TokenText("x" * length, ids, offsets, place < 0, ())
        texts.append(ModelText(item, item, "sentences", tokens))

    def run(mask):
        with mock.patch(MASK, mask):
            return capture_texts(
                lambda _: load_model(tmp_path, "causal_lm"), "m", "causal_lm", texts,
                load_tokenizer(tmp_path), MetricsSpec(top_k=[2], recent_k=[2]), TextSpec(),
            )  # fmt: skip

    return run


def excluded(captured):
    """Return item → rows of a head by reason."""
    rows = captured.metrics.filter(
        (pl.col("metric") == "rows_excluded") & (pl.col("rows") == "all")
    )
    return {
        (item, reason): value
        for item, reason, value in rows.select("item", "condition", "value").iter_rows()
        if value
    }


def test_a_right_mask_passes(capture):
    assert excluded(capture(shifted(0))) == {}


def test_a_mask_that_shows_the_next_token_is_measured(capture):
    found = excluded(capture(shifted(1)))
    assert found == {(item, "off_support"): n - 1 for item, n in enumerate(LENGTHS)}


def test_a_mask_that_hides_the_query_itself_is_refused(capture):
    sentence = r"'model.layers.0.self_attn' of LlamaForCausalLM hides 12 of 78 pairs .* broken"
    with pytest.raises(UserError, match=sentence):
        capture(shifted(-1))


WINDOW = 20


@pytest.mark.parametrize("width", [WINDOW, WINDOW - 1])
def test_a_window_that_is_one_too_narrow_is_refused(width):
    def mask(config, inputs_embeds, **rest):
        steps = torch.arange(inputs_embeds.shape[1])
        lag = steps[:, None] - steps
        return ((lag >= 0) & (lag < width)).expand(len(inputs_embeds), 1, -1, -1)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = MistralConfig(
            vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, sliding_window=WINDOW,
        )  # fmt: skip
        model = MistralForCausalLM(config).eval()
    length = WINDOW + 6
    place = np.arange(length)
    offsets = np.stack([place, place + 1], axis=1)
    tokens = TokenText("x" * length, 3 + place, offsets, place < 0, ())
    texts = [ModelText(0, 0, "sentences", tokens)]
    with mock.patch(WINDOWED, mask):
        if width == WINDOW:
            check_visible(model, texts)
        else:
            with pytest.raises(UserError, match="hides 3 of 250 pairs"):
                check_visible(model, texts)
