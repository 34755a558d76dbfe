"""Tokenizers out of GGUF files cut as those they were made from."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pretrained import tiny
from tokenizers import Tokenizer

from attnpipe.pretrained.gguf import convert_gguf
from attnpipe.pretrained.gguf_metadata import Metadata
from attnpipe.pretrained.gguf_tokenizer import make_tokenizer


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    convert_gguf(tiny.write_gguf(folder / "m.gguf", tiny.llama()), folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


TEXTS = st.text(alphabet="abchuqs TW?.,12790\n\t'éß🤗<|im_start>", max_size=40)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_tokens_and_offsets_are_those_of_the_original(converted, text):
    expected, found = tiny.tokenizer().encode(text), converted.encode(text)
    assert found.ids == expected.ids
    assert found.tokens == expected.tokens
    assert found.offsets == expected.offsets
    assert converted.decode(found.ids, skip_special_tokens=False) == text


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_offsets_cover_the_text(converted, text):
    covered = {i for start, end in converted.encode(text).offsets for i in range(start, end)}
    assert covered == set(range(len(text)))


def test_every_digit_is_a_token(converted):
    assert converted.encode("27 plus 1999").tokens[:2] == ["2", "7"]
    assert converted.encode("1999").tokens == ["1", "9", "9", "9"]


def test_control_tokens_are_never_cut_and_are_special(converted):
    encoding = converted.encode("<|im_start|>What<|im_end|>")
    assert (encoding.ids[0], encoding.ids[-1]) == (1, 2)
    assert converted.decode(encoding.ids) == "What"


def made(**changes):
    return make_tokenizer(Metadata(Path("m.gguf"), tiny.gguf_fields(tiny.llama()) | changes))


def test_tokens_of_the_user_are_never_cut_but_plain():
    kinds = tiny.gguf_fields(tiny.llama())["tokenizer.ggml.token_type"]
    tokenizer = made(**{"tokenizer.ggml.token_type": [3, 3, 4, *kinds[3:]]})
    ids = tokenizer.encode("a<|im_end|>b").ids
    assert ids[1] == 2
    assert tokenizer.decode(ids) == "a<|im_end|>b"


def test_cut_of_gpt_2_leaves_numbers_together():
    merges = [*tiny.gguf_fields(tiny.llama())["tokenizer.ggml.merges"], "1 9"]
    tokens = [*tiny.gguf_fields(tiny.llama())["tokenizer.ggml.tokens"], "19"]
    changes = {
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * len(tokens),
    }
    assert made(**changes, **{"tokenizer.ggml.pre": "gpt-2"}).encode("19").tokens == ["19"]
    assert made(**changes).encode("19").tokens == ["1", "9"]


@pytest.mark.parametrize(
    ("added", "first", "last"),
    [(("bos",), [1], []), (("eos",), [], [2]), (("bos", "eos"), [1], [2]), ((), [], [])],
)
def test_first_and_last_token_are_added_where_the_file_says_so(added, first, last):
    flags = {f"tokenizer.ggml.add_{role}_token": role in added for role in ("bos", "eos")}
    plain = tiny.tokenizer().encode("What is").ids
    assert made(**flags).encode("What is").ids == [*first, *plain, *last]
