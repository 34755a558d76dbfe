"""Document 3's sums over keywords, against its own loop over decoded tokens."""

import numpy as np
import pytest
from tests.text.vocabularies import byte_level, whole_numbers

from attnpipe.core.text import Span
from attnpipe.measurement.text.segments import published_keywords
from attnpipe.text.reading import ModelText
from attnpipe.text.tokens import tokenize

TWO_SHOT = "Q: What is 3 plus 4?\nA: 7\n\nQ: What is 10 plus 7?\nA: 17\n\nQ: What is 7 plus 27?\nA:"


def document_3(weights, tokens, keywords):
    """Attention to keywords, as document 3 writes it; weights and tokens of the last row."""
    positions = []
    for i, token in enumerate(tokens):
        for keyword in keywords:
            if keyword.lower() in token.lower():
                positions.append((i, token, keyword))
    results = {}
    for position, token, keyword in positions:
        results[f"{keyword} ('{token}')"] = weights[position]
    return results


@pytest.mark.parametrize("vocabulary", [whole_numbers, byte_level])
@pytest.mark.parametrize("words", [["7", "17"], ["17"], ["7", "7"], ["what", "7", "1"], ["never"]])
def test_each_word_has_an_entry_for_each_token_that_holds_it(vocabulary, words):
    tokenizer = vocabulary()
    tokens = tokenize(TWO_SHOT, [Span("question", 48, 67)], tokenizer)
    text = ModelText(item=4, question=0, variant="2_shot", tokens=tokens)
    rows = np.random.default_rng(0).dirichlet(np.ones(len(tokens.ids)), size=(2, 3))
    decoded = [tokenizer.decode([token]) for token in tokens.ids.tolist()]
    expected = document_3(rows[-1].mean(axis=0), decoded, words)
    (row,) = published_keywords("m", "pretrained", text, rows, {"words": words}).to_dicts()
    assert row["as_published"] == pytest.approx(sum(expected.values()), abs=1e-15)
    assert row["n_matches"] == len(expected)
    assert row["n_tokens"] == sum(w in t.lower() for w in dict.fromkeys(words) for t in decoded)


def test_an_answer_that_holds_another_counts_for_both():
    tokens = tokenize(TWO_SHOT, [], whole_numbers())
    text = ModelText(item=0, question=0, variant="2_shot", tokens=tokens)
    pieces = [TWO_SHOT[a:b].strip() for a, b in tokens.offsets.tolist()]
    assert {"7", "17", "27"} <= set(pieces)
    rows = np.full((1, 1, len(pieces)), 1 / len(pieces))
    words = {"examples_answers": ["7", "17"]}
    (row,) = published_keywords("m", "pretrained", text, rows, words).to_dicts()
    # 7 in 7, 17 and 27; 17 in 17. Of the three tokens that read 7, one counts.
    assert (row["n_matches"], row["n_tokens"]) == (4, 6)
    assert row["as_published"] == pytest.approx(4 / len(pieces))
