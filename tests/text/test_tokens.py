"""Spans of characters become the tokens that share a character with them."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.text import vocabularies
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from attnpipe.core.errors import UserError
from attnpipe.core.text import Span
from attnpipe.text.compose import Composer
from attnpipe.text.keywords import find_keywords
from attnpipe.text.tokens import load_tokenizer, readable, tokenize

FAMILY = "👨\u200d👩\u200d👧"
COT = (
    Composer()
    .add("instruction", "Let's think step by step.")
    .add(None, "\n\n")
    .add("question", "What is 15 plus 27?")
    .done()
)


def saved(tokenizer: Tokenizer, folder):
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def strings(tokens, tokenizer, span):
    names = readable(tokens, tokenizer)
    (found,) = (t for t in tokens.spans if (t.span.name, t.span.occurrence) == span)
    return [names[index] for index in found.tokens]


def byte_alphabet():
    """GPT-2's map from bytes to printable characters, inverted."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(other)}


BYTES = byte_alphabet()


def bytes_of(tokenizer, index):
    token = tokenizer.id_to_token(index)
    if index in tokenizer.get_added_tokens_decoder():
        return token.encode()
    return bytes(BYTES[character] for character in token)


def tokens_by_bytes(text, start, end, tokens, tokenizer):
    """Which tokens share a byte with characters start … end, without looking at offsets."""
    first = len(text[:start].encode())
    behind = first + len(text[start:end].encode())
    found, place = [], 0
    for index, number in enumerate(tokens.ids.tolist()):
        if index == 0:
            continue  # BOS
        piece = bytes_of(tokenizer, number)
        if place < behind and place + len(piece) > first:
            found.append(index)
        place += len(piece)
    assert place == len(text.encode())
    return found


@given(st.data())
def test_byte_level_tokens_are_those_that_share_a_byte(data):
    word = st.sampled_from(["What is ", " plus", "15", "😀", FAMILY, "é", "家", "\n\n", "<s>"])
    parts = st.lists(st.one_of(word, st.text(max_size=4)), min_size=1, max_size=8)
    text = "".join(data.draw(parts))
    if not text.strip():
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    tokenizer = vocabularies.byte_level()
    tokens = tokenize(text, [Span("x", start, end)], tokenizer)
    expected = tokens_by_bytes(text, start, end, tokens, tokenizer)
    assert tokens.spans[0].tokens.tolist() == expected


@given(
    st.sampled_from(sorted(vocabularies.ALL)), st.text(min_size=1, max_size=30), st.integers(0, 29)
)
def test_every_tokenizer_by_sets_of_characters(kind, text, start):
    tokenizer = vocabularies.ALL[kind]()
    span = Span("x", min(start, len(text) - 1), len(text))
    encoding = tokenizer.encode(text)
    wanted = set(range(span.start, span.end))
    expected = [i for i, (a, b) in enumerate(encoding.offsets) if wanted & set(range(a, b))]
    if not text.strip() or all(a == b for a, b in encoding.offsets):
        with pytest.raises(UserError, match="is empty"):
            tokenize(text, [span], tokenizer)
    elif not expected:
        with pytest.raises(UserError, match="no token covers span 'x'"):
            tokenize(text, [span], tokenizer)
    else:
        tokens = tokenize(text, [span], tokenizer)
        assert tokens.spans[0].tokens.tolist() == expected
        assert tokens.ids.tolist() == encoding.ids
        assert len(readable(tokens, tokenizer)) == len(tokens.ids)


@pytest.mark.parametrize(
    ("kind", "question", "number"),
    [
        ("byte_level", ["What", "·is", "·", "1", "5", "·plus", "·", "2", "7", "?"], ["2", "7"]),
        ("word_piece", ["What", "is", "15", "plus", "27", "?"], ["27"]),
    ],
)
def test_a_prompt_by_hand(kind, question, number):
    tokenizer = vocabularies.ALL[kind]()
    hits = find_keywords(COT.text, ["27", "step"])
    spans = [*COT.spans, *hits["27"], *hits["step"]]
    tokens = tokenize(COT.text, spans, tokenizer)
    assert strings(tokens, tokenizer, ("question", 0)) == question
    assert strings(tokens, tokenizer, ("keyword: 27", 0)) == number
    steps = [strings(tokens, tokenizer, ("keyword: step", place)) for place in (0, 1)]
    assert [[token.strip("·") for token in step] for step in steps] == [["step"], ["step"]]
    first, second = (t.tokens for t in tokens.spans if t.span.name == "keyword: step")
    assert first[-1] < second[0]


def test_special_tokens_are_told_by_origin_and_by_spelling():
    tokenizer = vocabularies.byte_level()
    tokens = tokenize("<|im_start|>user\nhi<|im_end|>", [], tokenizer)
    assert readable(tokens, tokenizer)[:2] == ["<s>", "<|im_start|>"]
    expected = np.zeros(len(tokens.ids), bool)
    expected[[0, 1, -1]] = True
    np.testing.assert_array_equal(tokens.special, expected)
    assert tokens.offsets[0].tolist() == [0, 0]
    bare = tokenize("<|im_start|>user", [], tokenizer, add_special_tokens=False)
    assert bare.special.tolist() == [True] + [False] * (len(bare.ids) - 1)


def test_an_unknown_word_is_not_special():
    tokenizer = vocabularies.word_piece()
    tokens = tokenize("plus 😀 [UNK]", [], tokenizer)
    assert readable(tokens, tokenizer) == ["[CLS]", "plus", "😀", "[UNK]", "[SEP]"]
    assert tokens.ids[2] == tokens.ids[3] == tokenizer.token_to_id("[UNK]")
    assert tokens.special.tolist() == [True, False, False, True, True]


def test_readable_shows_white_space_and_pieces_of_a_character():
    tokenizer = vocabularies.byte_level()
    tokens = tokenize("plus 😀\n\t\x07 plus", [], tokenizer)
    pieces = [f"😀 {i}/4" for i in range(1, 5)]
    assert "".join(readable(tokens, tokenizer)) == "<s>plus·" + "".join(pieces) + "⏎⇥U+0007·plus"


class TestRefusals:
    @pytest.mark.parametrize("text", ["", " ", "\n\n"])
    @pytest.mark.parametrize("kind", sorted(vocabularies.ALL))
    def test_empty_prompt(self, kind, text):
        with pytest.raises(UserError, match="is empty; write at least one word"):
            tokenize(text, [], vocabularies.ALL[kind]())

    def test_too_long_says_how_long(self):
        tokenizer = vocabularies.byte_level()
        count = len(tokenize(COT.text, [], tokenizer).ids)
        assert len(tokenize(COT.text, [], tokenizer, max_tokens=count).ids) == count
        wanted = rf"Let's think.* has {count} tokens, the model has {count - 1} positions"
        with pytest.raises(UserError, match=wanted):
            tokenize(COT.text, [], tokenizer, max_tokens=count - 1)

    def test_a_span_without_token_shows_its_surroundings(self):
        text = "What is 15\u200b plus 27?"
        span = Span("joiner", 10, 11)
        wanted = r"no token covers span 'joiner' at characters 10 to 11 of 'What is 15.* plus 27\?'"
        with pytest.raises(UserError, match=wanted):
            tokenize(text, [span], vocabularies.word_piece())

    def test_an_empty_span_is_covered_by_nothing(self):
        with pytest.raises(UserError, match="no token covers span 'nothing'"):
            tokenize(COT.text, [Span("nothing", 4, 4)], vocabularies.byte_level())

    @pytest.mark.parametrize(("start", "end"), [(-1, 3), (2, 99), (5, 4)])
    def test_a_span_outside_of_the_text(self, start, end):
        with pytest.raises(UserError, match=f"'x' runs from character {start} to {end}, the text"):
            tokenize("What is this?", [Span("x", start, end)], vocabularies.byte_level())

    @pytest.mark.parametrize("setting", ["enable_truncation", "enable_padding"])
    def test_a_tokenizer_that_cuts_or_pads(self, setting):
        tokenizer = Tokenizer.from_str(vocabularies.word_piece().to_str())
        getattr(tokenizer, setting)(**({"max_length": 4} if "trunc" in setting else {"length": 9}))
        with pytest.raises(UserError, match="cut or pad"):
            tokenize(COT.text, [], tokenizer)

    def test_a_folder_without_offsets(self, tmp_path):
        (tmp_path / "tokenizer.model").write_bytes(b"slow")
        with pytest.raises(UserError, match=r"has no tokenizer.json: .* offsets .* fast tokenizer"):
            load_tokenizer(tmp_path)

    @pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model": 3}'])
    def test_a_damaged_file(self, tmp_path, content):
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(UserError, match="cannot read the tokenizer"):
            load_tokenizer(tmp_path)


class TestLoading:
    def test_a_tokenizer_of_transformers_is_told_from_the_one_that_is_needed(self):
        other = PreTrainedTokenizerFast(tokenizer_object=vocabularies.byte_level())
        with pytest.raises(UserError, match=r"of transformers \(\w+\) .*load_tokenizer\(folder"):
            inspect.unwrap(tokenize)(COT.text, [], other)  # types are only checked in tests

    def test_a_stored_limit_does_not_cut(self, tmp_path):
        tokenizer = Tokenizer.from_str(vocabularies.word_piece().to_str())
        tokenizer.enable_truncation(max_length=4)
        tokenizer.enable_padding(length=64)
        found = tokenize(COT.text, [], load_tokenizer(saved(tokenizer, tmp_path)))
        assert found.ids.tolist() == vocabularies.word_piece().encode(COT.text).ids

    def test_leading_spaces_belong_to_their_tokens(self, tmp_path):
        trimmed = vocabularies.byte_level_trimmed()
        assert (10, 15) not in trimmed.encode("What is 15 plus").offsets
        loaded = load_tokenizer(saved(trimmed, tmp_path))
        tokens = tokenize("What is 15 plus", [Span("space", 10, 11)], loaded)
        assert tokens.offsets[tokens.spans[0].tokens].tolist() == [[10, 15]]
        assert strings(tokens, loaded, ("space", 0)) == ["·plus"]
        assert tokens.ids.tolist() == trimmed.encode("What is 15 plus").ids

    def test_trimming_is_found_inside_a_sequence(self, tmp_path):
        document = json.loads(vocabularies.byte_level_trimmed().to_str())
        inner = document["post_processor"]
        document["post_processor"] = {"type": "Sequence", "processors": [inner]}
        (tmp_path / "tokenizer.json").write_text(json.dumps(document))
        tokens = tokenize("What is 15 plus", [Span("space", 10, 11)], load_tokenizer(tmp_path))
        assert len(tokens.spans[0].tokens) == 1
