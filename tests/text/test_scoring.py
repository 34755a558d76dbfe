"""The answer in what a model wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnpipe.text.arithmetic import Question
from attnpipe.text.scoring import extract_answer, reading

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
        ("15 + 27 = 40 + 2\n= 42", 42),
        ("15 + 27 = 42\n\n15 + 27 = 43", 42),
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
    told = "right" if answer == 42 else "wrong"
    without = "none" if continuation else "empty"
    assert reading(continuation, SUM) == (without if answer is None else told)


CUT = Question(18, "plus", 5)


@pytest.mark.parametrize(
    ("continuation", "answer", "if_finished"),
    [
        # Operands of a sentence that goes on are no answers …
        ("\n\nFirst, we need to find 18 + 5.\n\nFirst, we add 18", None, 18),
        ("\n\nFirst, we add 18 to", None, 18),
        ("\n\nTo find 18 plus 5, we need to add 18 to itself five times.\n\n", None, 18),
        ("\n\nFirst, we need to find the sum of 18 and 5.\n\nWe add 1", None, 1),
        ("5 apples and", None, 5),
        # … unless they are said to be, or stand alone.
        (" 18\n\nThis", 18, 18),
        (" **18**.\n", 18, 18),
        ("The answer is 18.\n\nThe answer", 18, 18),
        ("18 + 5 = 18.\n\nSo", 18, 18),
        (" 18 apples\n\nA: 23 and", 18, 18),
        (" 18 apples\n\nQ: What is 3 plus 4?\nA:", 18, 18),
        # A number at the cut may go on.
        ("18 + 5 = 2", None, 2),
        ("18 + 5 = 1,02", None, 1),
        ("The answer is 2", None, 2),
        ("The answer is 23.\n\nThe answer is 2", 23, 23),
        ("18 + 5 = 23\n\n18 + 5 = 2", 23, 23),
        (" 23\n\nA: 2", 23, 23),
        (" 23\n\nQ: What is 3 plus 4?\nA: 7", 23, 23),
        ("23", None, 23),
        # So may a sum.
        ("18 + 5 = 20 + 3", None, 20),
        ("18 + 5 = 20 +", None, 20),
        ("18 + 5 = 20 + 3 =", None, 20),
        ("18 + 5 = 20 + 3 = 23, as", 23, 23),
        # The rest is read as in a text that was ended.
        ("18 and 5 are 23 to", 23, 23),
        ("First, 17. Then", 17, 17),
        ("We add 18 to", None, 18),
        ("\n\nWe add", None, None),
        (" \n", None, None),
    ],
)
def test_a_text_that_was_cut_off(continuation, answer, if_finished):
    assert extract_answer(continuation, CUT, finished=False) == answer
    assert extract_answer(continuation, CUT) == if_finished
    told = reading(continuation, CUT, finished=False)
    without = "unfinished" if continuation.strip() else "empty"
    assert told == (without if answer is None else "right" if answer == 23 else "wrong")


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
    assert (reading(text, SUM) == "right") == (answer == 42)


@given(
    st.text(alphabet="0123456789.,-−  \nQA:=plus15 27answer is", max_size=60),
)
def test_an_answer_stands_in_the_text(text):
    answer = extract_answer(text, SUM)
    if answer is not None:
        bare = "".join(c for c in text if c not in ", ")
        assert str(abs(answer)) in bare


@given(st.text(alphabet="0123456789.,-−+  \nQA:=plus15 27answer is", max_size=60), st.booleans())
def test_what_is_written_on_changes_no_answer_that_a_cut_text_has_by_its_equation(text, more):
    start = f"15 + 27 = 41.\n{text}"
    assert extract_answer(start + "A" * more, SUM, finished=False) == 41


@given(
    st.integers(-(10**12), 10**12),
    st.sampled_from(["{}", " {:,}", "= {}.", "The answer is {}!", "15 + 27 = {:,}\n\nQ: 3?"]),
)
def test_a_written_number_is_found_again(number, form):
    assert extract_answer(form.format(number), SUM) == number
