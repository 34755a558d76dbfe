"""Negative log-likelihoods against plain float64 arithmetic."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pretrained import tiny

from attnpipe.core.errors import UserError
from attnpipe.pretrained.conversion import RATIO, SENTENCES, Perplexities, check_conversion, measure
from attnpipe.pretrained.perplexity import mean_nll, perplexity, token_nll


@pytest.fixture(scope="module")
def model():
    return tiny.llama().requires_grad_(False)


def reference(model, ids):
    """-ln softmax of each next token, by loops in float64."""
    logits = model(input_ids=torch.tensor([ids])).logits[0].numpy().astype(np.float64)
    values = []
    for row, following in zip(logits, ids[1:], strict=False):
        total = sum(np.exp(value - row.max()) for value in row)
        values.append(-(row[following] - row.max() - np.log(total)))
    return np.array(values)


TEXT = st.lists(st.integers(0, 319), min_size=2, max_size=12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(TEXT)
def test_each_token_is_predicted_from_those_before_it(model, ids):
    found = token_nll(model, torch.tensor([ids]))[0].numpy()
    np.testing.assert_allclose(found, reference(model, ids), atol=2e-5)
    assert (found >= 0).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_mean_is_over_tokens_not_texts(model, texts):
    values = np.concatenate([reference(model, ids) for ids in texts])
    tensors = [torch.tensor(ids) for ids in texts]
    assert mean_nll(model, tensors) == pytest.approx(values.mean(), abs=2e-5)
    assert perplexity(model, tensors) == pytest.approx(np.exp(values.mean()), rel=1e-4)


def test_texts_of_a_batch_do_not_see_each_other(model):
    texts = torch.tensor([[1, 2, 3, 4], [9, 8, 7, 6]])
    alone = torch.cat([token_nll(model, text[None]) for text in texts])
    torch.testing.assert_close(token_nll(model, texts), alone)


def test_model_without_preference_has_the_size_of_its_vocabulary():
    model = tiny.llama(tie_word_embeddings=False)
    with torch.no_grad():
        model.lm_head.weight.zero_()
    assert perplexity(model, [torch.tensor([4, 8, 15])]) == pytest.approx(320, rel=1e-5)


def test_learned_sentences_are_far_from_their_shuffles(tmp_path):
    found = measure(tiny.learned_llama(), tiny.tokenizer(), tmp_path)
    assert found.real < 3
    assert found.shuffled > 50
    lengths = [len(tiny.tokenizer().encode(sentence).ids) for sentence in SENTENCES]
    assert found.tokens == sum(lengths) - len(SENTENCES)
    assert measure(tiny.learned_llama(), tiny.tokenizer(), tmp_path) == found


def test_random_weights_prefer_nothing(model, tmp_path):
    found = measure(model, tiny.tokenizer(), tmp_path)
    assert 0.3 < found.shuffled / found.real < 3


def test_short_positions_cut_the_sentences(tmp_path):
    found = measure(tiny.llama(max_position_embeddings=5), tiny.tokenizer(), tmp_path)
    assert found.tokens == 4 * len(SENTENCES)


def test_model_that_gives_no_probabilities_is_refused(tmp_path):
    model = tiny.llama()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="has perplexity nan on English sentences"):
        measure(model, tiny.tokenizer(), tmp_path)


@pytest.mark.parametrize(
    ("real", "shuffled", "passes"),
    [(5.0, 50.0, True), (5.0, 49.9, False), (26.2, 7629.0, True), (4000.0, 4000.0, False)],
)
def test_conversion_must_prefer_sentences_tenfold(tmp_path, real, shuffled, passes):
    assert RATIO == 10
    found = Perplexities(real, shuffled, tokens=48)
    if passes:
        check_conversion(found, tmp_path)
    else:
        with pytest.raises(UserError, match="should be 10 times as much"):
            check_conversion(found, tmp_path)
