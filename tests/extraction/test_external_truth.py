"""What is known of two published models must come out of capture: bands, over three draws."""

import numpy as np
import pytest
import torch
import yaml

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing, on_samples
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.text import TokenText
from attnpipe.io.wheel import default_cache
from attnpipe.metrics.tokens.scores import HeadScores
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.pretrained.load import load_model
from attnpipe.pretrained.obtain import obtain
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.schema.pretrained import parse_model_source
from attnpipe.schema.text import SentencesData
from attnpipe.text.sentences import sentences
from attnpipe.text.tokens import load_tokenizer, tokenize

pytestmark = pytest.mark.slow
DRAWS = (0, 1, 2)


def obtained(name, tmp_path_factory, pytestconfig):
    spec = yaml.safe_load((pytestconfig.rootpath / "config" / "model" / f"{name}.yaml").read_text())
    folder = tmp_path_factory.mktemp(name)
    obtain(parse_model_source(spec["source"]), spec["task"], folder, cache=default_cache())
    return folder


@pytest.fixture(scope="module")
def minilm(tmp_path_factory, pytestconfig):
    return obtained("minilm", tmp_path_factory, pytestconfig)


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory, pytestconfig):
    return obtained("smollm2", tmp_path_factory, pytestconfig)


def head_scores(model, texts, name):
    """Layer × head mean over texts of one score."""
    known = Texts.of(dict(enumerate(texts)))
    options = MetricsSpec(top_k=[5], recent_k=[5])
    folds = LayerFolds(lambda layer: HeadScores(options, known))
    with torch.inference_mode(), adapted(model), observing(folds):
        for item, text in enumerate(texts):
            with on_samples(torch.tensor([item])):
                model(input_ids=torch.from_numpy(text.ids)[None])
    layers = [folds.folds[layer].score(name).value.mean(axis=-1) for layer in sorted(folds.folds)]
    return np.stack(layers)


@pytest.mark.parametrize("draw", DRAWS)
def test_minilm_has_heads_for_the_previous_and_the_next_token(minilm, draw):
    tokenizer = load_tokenizer(minilm)
    spec = SentencesData(kind="sentences", name="s", count=96, seed=draw)
    parts = sentences(spec, tokenizer)
    whole = [" ".join(parts[i : i + 4]) for i in range(0, len(parts), 4)]
    texts = [tokenize(text, (), tokenizer) for text in whole]
    model = load_model(minilm, "encoder")
    assert head_scores(model, texts, "previous_token")[0].max() > 0.95
    assert head_scores(model, texts, "next_token")[1].max() > 0.6
    random = load_model(minilm, "encoder", untrained_seed=draw)
    for name in ("previous_token", "next_token"):
        assert head_scores(random, texts, name).max() < 0.05


@pytest.mark.parametrize("draw", DRAWS)
def test_smollm2_copies_what_followed_before(smollm2, draw):
    model = load_model(smollm2, "causal_lm")
    generator = np.random.default_rng(draw)
    once = generator.integers(1000, 40_000, size=(4, 40))
    ids = np.concatenate([once, once], axis=1)
    blank = np.zeros((80, 2), dtype=np.int64), np.zeros(80, dtype=bool)
    texts = [TokenText("", row, *blank) for row in ids]
    induction = head_scores(model, texts, "induction")
    assert np.count_nonzero(induction > 0.5) >= 2
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids)).logits.double()
    nll = -logits[:, :-1].log_softmax(-1).gather(-1, torch.from_numpy(ids)[:, 1:, None])[..., 0]
    fall = nll[:, :39].mean() - nll[:, 40:].mean()
    assert fall > 5
    random = load_model(smollm2, "causal_lm", untrained_seed=draw)
    assert head_scores(random, texts, "induction").max() < 0.1
