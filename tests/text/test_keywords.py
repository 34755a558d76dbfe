"""Keywords are found by characters, whole, wherever they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnpipe.core.errors import UserError
from attnpipe.core.text import Span
from attnpipe.text.keywords import find_keywords

QUESTION = "What is 15 plus 27?"
TWO_SHOTS = "Q: What is 3 plus 4?\nA: 7\n\nQ: What is 10 plus 5?\nA: 15\n\nQ: " + QUESTION + "\nA:"


def places(text, keyword, match="word"):
    spans = find_keywords(text, [keyword], match)[keyword]
    return [(span.start, span.end) for span in spans]


@pytest.mark.parametrize(
    ("match", "text", "keyword", "found"),
    [
        ("word", QUESTION, "27", ["27"]),
        ("word", QUESTION, "7", []),
        ("prefix", QUESTION, "2", []),
        ("substring", QUESTION, "7", ["7"]),
        ("word", "72 7 27 7.5 1,007 7, 7. -7 x7 7x", "7", ["7", "7", "7", "7"]),
        ("word", "0.7 7", "7", ["7"]),
        ("word", "Step by step, in steps", "step", ["Step", "step"]),
        ("prefix", "Step by step, in steps; misstep", "step", ["Step", "step", "step"]),
        ("substring", "steps; misstep", "step", ["step", "step"]),
        ("word", "You are an expert mathematician.", "math", []),
        ("prefix", "You are an expert mathematician.", "math", ["math"]),
        ("word", "under_step step_", "step", []),
        ("word", "ÉTAPE par étape", "étape", ["ÉTAPE", "étape"]),
        ("word", "İi ß SS", "ß", ["ß"]),
        ("word", "a+b a + b", "+", ["+", "+"]),
        ("word", "Let's think. let's", "let's", ["Let's", "let's"]),
        ("word", "think  step", "think step", []),
        ("word", "(a.b) a-b", "a.b", ["a.b"]),
    ],
)
def test_rules(match, text, keyword, found):
    assert [text[start:end] for start, end in places(text, keyword, match)] == found


def test_the_example_answer_is_not_the_seven_of_27_and_15_is_found_in_answer_and_question():
    assert places(TWO_SHOTS, "7") == [(24, 25)]
    assert places(TWO_SHOTS, "15") == [(52, 54), (67, 69)]
    spans = find_keywords(TWO_SHOTS, ["15"])["15"]
    assert spans == [Span("keyword: 15", 52, 54, 0), Span("keyword: 15", 67, 69, 1)]


def test_no_hit_is_an_empty_list():
    assert find_keywords(QUESTION, ["step", "plus"]) == {
        "step": [],
        "plus": [Span("keyword: plus", 11, 15, 0)],
    }


@pytest.mark.parametrize("keyword", ["", "  "])
def test_a_blank_keyword_is_refused(keyword):
    with pytest.raises(UserError, match="blank"):
        find_keywords(QUESTION, [keyword])


@given(st.text(alphabet="aA7.2 _é", max_size=20), st.text(alphabet="aA72é", min_size=1, max_size=3))
def test_whole_words_are_those_hits_that_no_longer_word_contains(text, keyword):
    hits = places(text, keyword, "word")
    for start, end in hits:
        assert text[start:end].casefold() == keyword.casefold()
        for beside in text[max(start - 1, 0) : start] + text[end : end + 1]:
            assert not beside.isalnum()
            assert beside != "_"
    assert set(hits) <= set(places(text, keyword, "prefix"))
    assert len(places(text, keyword, "substring")) == text.casefold().count(keyword.casefold())
