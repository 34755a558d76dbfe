"""The answer in what a model wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnpipe.text.arithmetic import Question
from attnpipe.text.scoring import extract_answer, is_correct

SUM = Question(15, "plus", 27)
DIFFERENCE = Question(3, "minus", 12)
PRODUCT = Question(120, "times", 95)


@pytest.mark.parametrize(
    ("continuation", "answer"),
    [
        (" 42", 42),
        ("42\n\nQ: What is 3 plus 4?\nA: 7", 42),
        (" I do not know.\n\nQuestion: What is 3 plus 4?", None),
        ("\n\n15 + 27 = 42", 42),
        ("\n15+27=42.", 42),
        ("15 plus 27 equals 41", 41),
        ("27 plus 15 is 42.", 42),
        ("If you add 27 to 15, you get 42.", 42),
        ("The sum of 15 and 27 is **42**.", 42),
        ("15 plus 27 is 15 + 27 = 43", 43),
        ("First 20, then 42. The answer is 42.", 42),
        ("5 plus 7 is 12.\nAnswer: 42", 42),
        ("The answer is 15 + 27 = 42", 42),
        (" 15 + 27 = 42\n\nThe answer is", 42),
        (" 15 + 27 = 42\n\nThe answer is: 43", 43),
        ("First, 15 - 27 = 12.\nSo, 15 + 27 = 42.", 42),
        (
            "Add 27 and 15. This is done by multiplying 15 by 27, which is 405. So 15 + 27 is 42.",
            42,
        ),
        ("15 plus 27 equals 42, then add 15", 42),
        ("115 + 27 = 142", 115),
        ("15 + 27 = x", None),
        ("15 + 27 is 20 + 22, so 15 + 27 = 42", 42),
        (" 24\n\nA: 15 + 27 = 42\n\nThe answer is 42", 24),
        ("\nA: 42\n\nA: 43", 42),
        ("What is 15 plus 27?\nA: 42", 42),
        ("15 + 27 = 10 + 5 + 20 + 7 = 42", 42),
        ("15 + 27 = 42, and 3 + 4 = 7", 42),
        ("15 + 27 = (15 + 25) + 2 = 40 + 2 = 42.", 42),
        ("15 + 27 =\n42", 42),
        ("What is 15 plus 27?\nAnswer: 42", 42),
        ("\\boxed{42}", 42),
        ("$42", 42),
        ("42.", 42),
        ("42.0", 42),
        ("42.5", None),
        ("(42)", 42),
        ("42nd", None),
        ("Q2 was 41", 41),
        ("15", 15),
        ("15\n27", 15),
        ("-42", -42),
        ("−42", -42),
        ("is -42", -42),
        ("x-42", 42),
        ("1,042", 1042),
        ("1,042,000 and more", 1042000),
        ("1\u202f042", 1042),
        ("12,34", 12),
        ("1042,7", 1042),
        ("forty-two", None),
        ("", None),
        ("9" * 5000, None),
        ("٤٢", None),
    ],
)
def test_by_hand(continuation, answer):
    assert extract_answer(continuation, SUM) == answer
    assert is_correct(continuation, SUM) == (answer == 42)


@pytest.mark.parametrize(
    ("question", "continuation", "answer"),
    [
        (DIFFERENCE, " -9", -9),
        (DIFFERENCE, "3 - 12 = -9", -9),
        (DIFFERENCE, "3-12=-9", -9),
        (DIFFERENCE, "12 from 3 is −9", -9),
        (DIFFERENCE, "12 - 3 = 9, so 3 − 12 = -9", -9),
        (PRODUCT, "1. 95 multiplied by 120 is 11,400", 11400),
        (PRODUCT, "120 × 95 = 11,400", 11400),
        (PRODUCT, "11400", 11400),
        (Question(1, "times", 5), "5\n\nQ: What is 1 times 3?", 5),
        (Question(0, "plus", 7), "7", 7),
        (Question(1, "plus", 2), "11 plus 2 is 13", 11),
    ],
)
def test_other_questions(question, continuation, answer):
    assert extract_answer(continuation, question) == answer


@given(st.text(max_size=60))
def test_any_text_has_an_integer_or_none(text):
    answer = extract_answer(text, SUM)
    assert answer is None or isinstance(answer, int)
    assert is_correct(text, SUM) == (answer == 42)


@given(
    st.text(alphabet="0123456789.,-−  \nQA:=plus15 27answer is", max_size=60),
)
def test_an_answer_stands_in_the_text(text):
    answer = extract_answer(text, SUM)
    if answer is not None:
        bare = "".join(c for c in text if c not in ", ")
        assert str(abs(answer)) in bare


@given(
    st.integers(-(10**12), 10**12),
    st.sampled_from(["{}", " {:,}", "= {}.", "The answer is {}!", "15 + 27 = {:,}\n\nQ: 3?"]),
)
def test_a_written_number_is_found_again(number, form):
    assert extract_answer(form.format(number), SUM) == number
