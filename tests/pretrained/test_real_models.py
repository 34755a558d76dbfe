"""Published models against what is known of them: tokens, answers, perplexities, similarities.

Ids and answers are those that transformers gives with the models' original files, as many
public repositories state them; similarities are those of the hub's own example for
all-MiniLM-L6-v2.
"""

import json
from pathlib import Path
from pydoc_data import topics

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tests.pretrained import tiny
from tokenizers import Tokenizer
from torch.nn import functional

from attnpipe.pretrained.load import load_model
from attnpipe.pretrained.obtain import obtain
from attnpipe.pretrained.perplexity import mean_nll, perplexity, token_nll
from attnpipe.schema.pretrained import PretrainedModel

pytestmark = pytest.mark.slow
CONFIG = Path(__file__).parents[2] / "config" / "model"
CAPITALS = {
    **{"France": "Paris", "Italy": "Rome", "Germany": "Berlin", "Spain": "Madrid"},
    **{"Japan": "Tokyo", "Greece": "Athens", "Egypt": "Cairo", "Austria": "Vienna"},
    **{"Russia": "Moscow", "Portugal": "Lisbon", "Poland": "Warsaw", "Norway": "Oslo"},
}
CHAT = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
    "<|im_start|>assistant\n"
)
CHAT_IDS = [
    *(1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411),
    *(407, 19712, 8182, 2, 198, 1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1),
    *(520, 9531, 198),
]


def obtained(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp(name)
    spec = PretrainedModel(**yaml.safe_load((CONFIG / f"{name}.yaml").read_text("utf-8")))
    obtain(spec.source, spec.task, folder / "model", cache=folder / "cache")
    return folder / "model"


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    return obtained("smollm2", tmp_path_factory)


@pytest.fixture(scope="module")
def model(smollm2):
    return load_model(smollm2, "causal_lm")


@pytest.fixture(scope="module")
def tokenizer(smollm2):
    return Tokenizer.from_file(str(smollm2 / "tokenizer.json"))


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    return obtained("minilm", tmp_path_factory)


def greedy(model, ids, n):
    """Return the n most probable tokens, one after the other."""
    text = torch.tensor([ids])
    for _ in range(n):
        following = model(input_ids=text).logits[:, -1:].argmax(-1)
        text = torch.cat([text, following], dim=1)
    return text[0, len(ids) :].tolist()


def test_facts_of_smollm2(smollm2):
    facts = json.loads((smollm2 / "attnpipe.json").read_text())
    assert facts["parameters"] == 134_515_008
    assert facts["positions"] == 8192
    assert facts["quantisation"] == ["F32", "Q4_1", "Q8_0"]
    assert 20 < facts["perplexity"]["real"] < 33
    assert facts["perplexity"]["shuffled"] > 100 * facts["perplexity"]["real"]
    config = json.loads((smollm2 / "config.json").read_text())
    assert (config["num_hidden_layers"], config["num_attention_heads"]) == (30, 9)
    assert (config["num_key_value_heads"], config["vocab_size"]) == (3, 49152)
    assert config["tie_word_embeddings"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello world, this is", [19556, 905, 28, 451, 314]),
        ("She walked into the", [8113, 13197, 618, 260]),
        ("The quick brown fox", [504, 2365, 6354, 16438]),
        ("In 2026, the weather", [788, 216, 34, 32, 34, 38, 28, 260, 3947]),
        ("  spaced  text", [216, 23861, 216, 1694]),
        ("Hello, world!", [19556, 28, 905, 17]),
        (CHAT, CHAT_IDS),
    ],
)
def test_texts_have_the_published_tokens(tokenizer, text, ids):
    assert tokenizer.encode(text).ids == ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_chat_template_is_that_of_the_model(smollm2):
    settings = json.loads((smollm2 / "tokenizer_config.json").read_text())
    assert settings["bos_token"] == "<|im_start|>"
    assert settings["eos_token"] == settings["pad_token"] == "<|im_end|>"
    assert "named SmolLM, trained by Hugging Face<|im_end|>" in settings["chat_template"]


def test_it_knows_capitals(model, tokenizer):
    following = greedy(model, tokenizer.encode("The capital of Italy is").ids, 4)
    assert "Rome" in tokenizer.decode(following)


def test_its_chat_answer_is_the_published_one(model, tokenizer):
    answer = [504, 3575, 282, 4649, 314, 7042, 30, 2]
    assert tokenizer.decode(answer) == "The capital of France is Paris."
    assert greedy(model, CHAT_IDS, 8) == answer


@pytest.mark.parametrize("draw", range(4))
def test_capitals_are_likely_and_their_shuffles_are_not(model, tokenizer, draw):
    generator = np.random.default_rng(draw)
    names = [list(CAPITALS)[i] for i in generator.choice(len(CAPITALS), 3, replace=False)]
    text = " ".join(f"The capital of {name} is {CAPITALS[name]}." for name in names)
    ids = torch.tensor(tokenizer.encode(text).ids)
    shuffled = ids[torch.from_numpy(generator.permutation(len(ids)))]
    assert 3 < perplexity(model, [ids]) < 10
    assert perplexity(model, [shuffled]) > 250


@pytest.mark.parametrize("draw", range(4))
def test_repeated_random_tokens_become_predictable(model, draw):
    ids = np.random.default_rng(draw).integers(17, 49152, 50)
    nll = token_nll(model, torch.from_numpy(np.tile(ids, 2))[None])[0]
    first, second = nll[:49].mean(), nll[50:].mean()
    assert 12 < first < 17
    assert first - second > 5


def test_rotated_rows_are_in_the_order_that_fits_the_weights(smollm2, model, tokenizer):
    """The order of llama.cpp, left as it is, would cost more than a nat on every page."""
    wrong = load_model(smollm2, "causal_lm")
    for layer in wrong.model.layers:
        for part, heads in ((layer.self_attn.q_proj, 9), (layer.self_attn.k_proj, 3)):
            part.weight.data = torch.from_numpy(tiny.permuted(part.weight.numpy(), heads))
    for topic in ("class", "for", "import"):
        ids = torch.tensor(tokenizer.encode(topics.topics[topic]).ids[:200])
        assert mean_nll(wrong, [ids]) - mean_nll(model, [ids]) > 1


def test_saved_again_it_is_the_same(smollm2, model, tmp_path):
    model.save_pretrained(tmp_path)
    before = load_file(smollm2 / "model.safetensors")
    after = load_file(tmp_path / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    ids = torch.tensor([CHAT_IDS])
    again = load_model(tmp_path, "causal_lm")(input_ids=ids).logits
    assert torch.equal(again, model(input_ids=ids).logits)


def embedding(model, tokenizer, sentence):
    ids = torch.tensor([tokenizer.encode(sentence).ids])
    return model(input_ids=ids).last_hidden_state.mean(dim=1)[0]


def test_minilm_finds_the_published_similarities(minilm):
    facts = json.loads((minilm / "attnpipe.json").read_text())
    assert facts["parameters"] == 22_713_216
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    published = {
        "That is a happy dog": 0.6946,
        "That is a very happy person": 0.9429,
        "Today is a sunny day": 0.2569,
    }
    model = load_model(minilm, "encoder")
    person = embedding(model, tokenizer, "That is a happy person")
    for sentence, similarity in published.items():
        found = functional.cosine_similarity(person, embedding(model, tokenizer, sentence), dim=0)
        assert found.item() == pytest.approx(similarity, abs=2e-4), sentence


def test_minilm_tokens_are_neither_cut_nor_padded(minilm):
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    assert tokenizer.encode("Hello").tokens == ["[CLS]", "hello", "[SEP]"]
    assert len(tokenizer.encode("word " * 400).ids) == 402
