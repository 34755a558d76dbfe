"""What a model writes: how it may end, when it is cut off, and how that is read."""

import numpy as np
import pytest
import torch
from tests.text.tiny_model import save_tiny_llama

from attnpipe.extraction.text.answers import answers
from attnpipe.pretrained.load import load_model
from attnpipe.schema.text import PromptsData
from attnpipe.text.reading import model_texts
from attnpipe.text.scoring import extract_answer
from attnpipe.text.study import study_texts
from attnpipe.text.tokens import load_tokenizer

# Of the same number of tokens, so that they are read together.
VARIANTS = {
    "short": {"prefix": "A ", "max_new_tokens": 2},
    "long": {"prefix": "B ", "max_new_tokens": 7},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    save_tiny_llama(path)
    return path


def read(folder, least):
    """Return the texts and the tokenizer."""
    spec = PromptsData.model_validate(
        {"kind": "prompts", "name": "p", "questions": 3, "shots": [0], "few_shot": [],
         "variants": VARIANTS, "min_new_tokens": least}
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnpipe.text.arithmetic.POOL", 100)
        study = study_texts(spec, {"m": folder}, {"m": None})
    tokenizer = load_tokenizer(folder)
    texts = model_texts("m", study.texts, study.spans, tokenizer)
    assert len({len(text.tokens.ids) for text in texts}) == 1
    return texts, tokenizer


def greedy(model, text, ends):
    """Write token by token without a cache; return the tokens, and whether the last is an end."""
    ids = text.tokens.ids.tolist()
    new = []
    while len(new) < text.most:
        with torch.inference_mode():
            logits = model(torch.tensor([ids + new])).logits[0, -1].numpy().copy()
        if len(new) < text.least:
            logits[list(ends)] = -np.inf
        new.append(int(logits.argmax()))
        if new[-1] in ends:
            return new[:-1], True
    return new, False


def first_tokens(model, texts):
    return [greedy(model, text, ends=set())[0][0] for text in texts]


@pytest.mark.parametrize("least", [0, 1, 2])
def test_a_model_ends_when_it_may_and_is_cut_off_at_the_variants_length(folder, least):
    texts, tokenizer = read(folder, least)
    model = load_model(folder, "causal_lm")
    ends = set(first_tokens(model, texts[::2]))  # it would end at once behind these
    model.generation_config.eos_token_id = sorted(ends)
    table = answers(model, "m", texts, tokenizer, 100)
    seen = set()
    for text, row in zip(texts, table.iter_rows(named=True), strict=True):
        tokens, finished = greedy(model, text, ends)
        assert row["generated"] == tokenizer.decode(tokens, skip_special_tokens=True)
        assert row["finished"] == finished
        given = extract_answer(row["generated"], text.asked, finished=finished)
        assert row["given"] == (None if given is None else str(given))
        if not tokens:
            assert (row["reading"], row["correct"]) == ("empty", False)
        seen.add((bool(tokens), finished))
    assert ((False, True) in seen) == (least == 0)
    assert (True, False) in seen


def test_a_model_that_knows_no_end_writes_to_the_variants_length(folder):
    texts, tokenizer = read(folder, 1)
    model = load_model(folder, "causal_lm")
    model.generation_config.eos_token_id = None
    table = answers(model, "m", texts, tokenizer, 100)
    assert table["finished"].to_list() == [False] * len(texts)
    for text, row in zip(texts, table.iter_rows(named=True), strict=True):
        tokens, _ = greedy(model, text, ends=set())
        assert len(tokens) == text.most
        assert row["generated"] == tokenizer.decode(tokens, skip_special_tokens=True)
