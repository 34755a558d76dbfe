"""Real sentences, chosen by a seed."""

import re

import pytest
from tests.text import vocabularies

from attnpipe.core.errors import UserError
from attnpipe.schema.text import SentencesData
from attnpipe.text import sentences as module
from attnpipe.text.sentences import prose, sentences, source, topics

CHAPTER = """
The "with" statement
********************

A context manager is an object that defines the runtime
context.  It handles the entry into, and the exit from, the
desired context!  Short one.  The word "with" is quoted here and
therefore dropped.

   with_stmt ::= "with" ( "(" with_stmt_contents ","? ")" ) ":" suite

* A list item begins with a star and continues
  with an indent that differs from its first line.

Title of an entry
   Sets the count of a thing that nobody ever counted.

   An indented paragraph counts as prose when all its lines agree.
"""


def spec(**changes):
    return SentencesData(**({"kind": "sentences", "name": "manual"} | changes))


def test_prose_is_told_from_headings_code_and_markup():
    assert prose({"with": CHAPTER, "again": CHAPTER}) == [
        "A context manager is an object that defines the runtime context.",
        "An indented paragraph counts as prose when all its lines agree.",
    ]


def test_the_manual_has_hundreds_of_plain_sentences():
    found = prose(topics())
    assert len(found) >= 400
    assert len(set(found)) == len(found)
    for sentence in found:
        assert re.fullmatch(r"[A-Z][A-Za-z ,;:'()-]*\.", sentence)
        assert len(sentence.split()) >= 6
        assert len(sentence) <= 400
    words = " ".join(found).lower().split()
    assert words.count("the") > 0.04 * len(words)  # as in any English prose


def test_the_seed_chooses_and_lengths_are_kept():
    tokenizer = vocabularies.byte_level()
    wanted = spec(count=40, min_tokens=20, max_tokens=60)
    chosen = sentences(wanted, tokenizer)
    assert len(set(chosen)) == 40
    assert set(chosen) <= set(prose(topics()))
    lengths = [len(tokenizer.encode(sentence).ids) for sentence in chosen]
    assert min(lengths) >= 20
    assert max(lengths) <= 60
    assert sentences(wanted, tokenizer) == chosen
    more = spec(count=80, min_tokens=20, max_tokens=60)
    assert sentences(more, tokenizer)[:40] == chosen
    other = spec(count=40, min_tokens=20, max_tokens=60, seed=1)
    assert set(sentences(other, tokenizer)) != set(chosen)


def test_too_few_says_how_many():
    tokenizer = vocabularies.byte_level()
    wanted = r"only \d+ sentences have 20 to 60 tokens, 5000 are asked for"
    with pytest.raises(UserError, match=wanted):
        sentences(spec(count=5000, min_tokens=20, max_tokens=60), tokenizer)


def test_the_source_is_named(monkeypatch):
    named = source()
    assert re.fullmatch(r"[0-9a-f]{64}", named["sha256"])
    monkeypatch.setattr(module, "topics", lambda: {"with": CHAPTER})
    assert source()["sha256"] != named["sha256"]


def test_a_python_without_manual_is_refused(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydoc_data.topics", None)
    with pytest.raises(UserError, match="has no module pydoc_data"):
        topics()
