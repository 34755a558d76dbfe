"""Learned positions: what passes the check is read and answered to its end."""

import pytest
from tests.text.vocabularies import byte_level
from transformers import GPT2Config, GPT2LMHeadModel

from attnpipe.core.errors import UserError
from attnpipe.extraction.text.run import capture_texts
from attnpipe.pretrained.load import load_model
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.schema.text import PromptsData
from attnpipe.text.reading import model_texts
from attnpipe.text.study import study_texts
from attnpipe.text.tokens import load_tokenizer


def gpt2(folder, positions):
    """Write a tiny GPT-2 and return its folder."""
    tokenizer = byte_level()
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_positions=positions, n_embd=16, n_layer=1,
        n_head=2, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    return folder


def captured(folder, texts):
    return capture_texts(
        lambda _: load_model(folder, "causal_lm"), "m", "causal_lm", texts,
        load_tokenizer(folder), MetricsSpec(top_k=[2], recent_k=[2]), TextSpec(),
    )  # fmt: skip


@pytest.mark.parametrize("new_tokens", [1, 8])
def test_answers_behind_the_last_position_are_refused_before_a_model_reads(
    tmp_path, monkeypatch, new_tokens
):
    monkeypatch.setattr("attnpipe.text.arithmetic.POOL", 100)
    spec = PromptsData(
        kind="prompts", name="p", questions=2, shots=[0], max_new_tokens=new_tokens,
        variants={"plain": {}, "long": {"prefix": "Now, ", "max_new_tokens": new_tokens + 1}},
        few_shot=[],
    )  # fmt: skip
    free = gpt2(tmp_path / "free", 512)
    study = study_texts(spec, {"m": free}, {"m": None})
    tokenizer = load_tokenizer(free)
    texts = model_texts("m", study.texts, study.spans, tokenizer)
    right = [len(tokenizer.encode(f" {t.asked.answer}", add_special_tokens=False)) for t in texts]
    needed = max(
        len(t.tokens.ids) + max(new_tokens + (t.variant == "long"), own)
        for t, own in zip(texts, right, strict=True)
    )
    enough = gpt2(tmp_path / "enough", needed)
    assert study_texts(spec, {"m": enough}, {"m": None}).texts.height == len(texts)
    assert captured(enough, texts).answers["generated"].null_count() == 0
    short = gpt2(tmp_path / "short", needed - 2)
    with pytest.raises(UserError, match=f"the model has {needed - 2} positions; shorten"):
        study_texts(spec, {"m": short}, {"m": None})
    with pytest.raises(IndexError):
        captured(short, texts)
