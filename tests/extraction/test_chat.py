"""Prompts in a chat template, from the questions to what a tiny model does with them."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import entropy
from tests.text.test_chat import CHATML
from tests.text.tiny_model import save_tiny_llama

from attnpipe.extraction.text.run import capture_texts
from attnpipe.pretrained.load import load_model
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.schema.text import PromptsData
from attnpipe.text.reading import model_texts
from attnpipe.text.study import study_texts
from attnpipe.text.tokens import load_tokenizer

CHAT = PromptsData(
    kind="prompts", name="chat", questions=2, shots=[0, 1], template="chat", system="Be brief.",
    max_new_tokens=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """Texts of a model with a chat template, what was captured, and eager attention."""
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHATML}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnpipe.text.arithmetic.POOL", 100)
        study = study_texts(CHAT, {"m": folder}, {"m": None})
    tokenizer = load_tokenizer(folder)
    texts = model_texts("m", study.texts, study.spans, tokenizer)
    captured = capture_texts(
        lambda _: load_model(folder, "causal_lm"), "m", "causal_lm", texts, tokenizer,
        MetricsSpec(top_k=[2], recent_k=[2]), TextSpec(),
    )  # fmt: skip
    exact = load_model(folder, "causal_lm", "float64")
    exact.set_attn_implementation("eager")
    eager = {}
    for text in texts:
        with torch.inference_mode():
            out = exact(torch.from_numpy(text.tokens.ids)[None], output_attentions=True)
        eager[text.item] = torch.stack(out.attentions)[:, 0].numpy()
    return tokenizer, texts, captured, eager


def test_the_template_alone_writes_special_tokens(chat) -> None:
    tokenizer, texts, _, _ = chat
    start, end = (tokenizer.token_to_id(name) for name in ("<|im_start|>", "<|im_end|>"))
    for text in texts:
        ids, special = text.tokens.ids, text.tokens.special
        assert text.tokens.text.startswith(
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user"
        )
        assert text.tokens.text.endswith("<|im_end|>\n<|im_start|>assistant\n")
        assert ids[special].tolist() == [start, end, start, end, start]
        assert ids[0] == start  # no BOS of the tokenizer's own stands before it


def test_parts_of_the_message_are_found_in_the_template(chat) -> None:
    _, texts, captured, _ = chat
    text = next(t for t in texts if t.variant == "1_shot")
    pieces = {
        span.span.name: text.tokens.text[span.span.start : span.span.end]
        for span in text.tokens.spans
    }
    assert pieces["system"] == "Be brief."
    assert pieces["question"] == f"What is {text.asked.first} plus {text.asked.second}?"
    assert pieces["shot_1_answer"].isdigit()
    answered = captured.tokens.filter(
        (pl.col("item") == text.item) & pl.col("spans").str.contains("shot_1_answer")
    )
    shown = text.tokens.text[answered["start"].min() : answered["end"].max()]
    assert shown.strip() == pieces["shot_1_answer"]


def test_metrics_are_those_of_eager_attention_on_the_chat(chat) -> None:
    _, texts, captured, eager = chat
    metrics = captured.metrics.filter((pl.col("rows") == "last") & pl.col("condition").is_null())
    for text in texts:
        last = eager[text.item][:, :, -1]
        own = metrics.filter(pl.col("item") == text.item).sort("layer", "head")
        found = own.filter(pl.col("metric") == "entropy")["value"]
        np.testing.assert_allclose(found, entropy(last, axis=-1).ravel(), atol=1e-5)
        sinks = own.filter((pl.col("metric") == "sink_mass") & pl.col("head").is_not_null())
        wanted = last[..., text.tokens.special].sum(axis=-1)  # the first token is one of them
        np.testing.assert_allclose(sinks["value"], wanted.ravel(), atol=1e-5)
    assert captured.answers["generated"].null_count() == 0
    assert captured.answers["answer_loss"].min() > 0
