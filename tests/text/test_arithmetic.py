"""Questions, their lengths and their examples."""

from collections import Counter

import numpy as np
import pytest
from tests.text import vocabularies

from attnpipe.core.errors import UserError
from attnpipe.schema.text import PromptsData
from attnpipe.text.arithmetic import POOL, Question, at_most, candidates
from attnpipe.text.choose import choose
from attnpipe.text.equal import equal_token_counts, of_commonest_length
from attnpipe.text.examples import draw_examples

TOKENIZERS = [vocabularies.byte_level(), vocabularies.word_piece()]


def spec(**changes):
    return PromptsData(**({"kind": "prompts", "name": "sums"} | changes))


def small(**changes):
    """A range small enough to be counted fast."""
    return spec(**({"smallest": 10, "largest": 25} | changes))


def drawn(seed=0, **changes):
    return candidates(spec(**changes), np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        (Question(15, "plus", 27), "What is 15 plus 27?", 42),
        (Question(3, "minus", 12), "What is 3 minus 12?", -9),
        (Question(6, "times", 7, "{first} {operation} {second} ="), "6 times 7 =", 42),
        (Question(9, "minus", 4, "Of {second} {operation} {first}"), "Of 4 minus 9", 5),
    ],
)
def test_text_answer_and_spans(question, text, answer):
    assert question.text == text
    assert question.answer == answer
    composed = question.composed
    assert composed.named("operand_1") == [str(question.first)]
    assert composed.named("operator") == [question.operation]
    assert composed.named("operand_2") == [str(question.second)]


class TestCandidates:
    def test_a_small_range_gives_every_question_once(self):
        found = drawn(smallest=1, largest=3, operations=["plus", "times"])
        triples = {(q.first, q.operation, q.second) for q in found}
        expected = {(a, o, b) for a in (1, 2, 3) for b in (1, 2, 3) for o in ("plus", "times")}
        assert triples == expected
        assert len(found) == 18

    def test_a_large_range_gives_different_questions_within_it(self):
        found = drawn(smallest=0, largest=10**6, operations=["plus", "minus", "times"])
        assert len(set(found)) == len(found)
        assert POOL * 0.7 < len(found) <= POOL
        kinds = Counter(q.operation for q in found)
        assert kinds["plus"] == pytest.approx(POOL / 3, rel=0.1)
        assert kinds["minus"] == pytest.approx(POOL / 6, rel=0.15)
        assert np.mean([q.first for q in found if q.operation == "plus"]) == pytest.approx(
            5e5, rel=0.1
        )

    @pytest.mark.parametrize(("negative", "least"), [(False, 0), (True, -89)])
    def test_answers_below_zero_only_if_allowed(self, negative, least):
        found = drawn(operations=["minus"], negative=negative)
        assert min(q.answer for q in found) == least

    @pytest.mark.parametrize("operations", [["plus"], ["minus"], ["plus", "minus", "times"]])
    @pytest.mark.parametrize("negative", [False, True])
    def test_how_many_there_are_is_known_before(self, operations, negative):
        few = {"operations": operations, "negative": negative}
        assert at_most(small(**few)) == len(candidates(small(**few), np.random.default_rng(0)))
        assert at_most(spec(largest=10**6, **few)) == POOL

    def test_the_seed_decides(self):
        assert drawn(3) == drawn(3) != drawn(4)


class TestEqualCounts:
    def test_all_have_the_modal_counts_in_every_tokenizer_and_keep_their_order(self):
        pool = drawn(smallest=6, largest=30)
        lengths = [tuple(len(t.encode(q.text).ids) for t in TOKENIZERS) for q in pool]
        modal = max(set(lengths), key=lengths.count)
        assert len(set(lengths)) > 2
        expected = [q for q, length in zip(pool, lengths, strict=True) if length == modal]
        assert of_commonest_length(pool, TOKENIZERS) == expected
        assert equal_token_counts(pool, TOKENIZERS, 50) == expected

    def test_too_few_says_how_many(self):
        pool = drawn(smallest=8, largest=11)
        wanted = r"only 8 of 16 candidate .* \(\d+ and \d+ tokens\), 9 are needed"
        alike = of_commonest_length(pool, TOKENIZERS)
        assert len(alike) == 8  # one operand of one digit, one of two
        with pytest.raises(UserError, match=wanted):
            equal_token_counts(pool, TOKENIZERS, 9)

    def test_without_candidates(self):
        with pytest.raises(UserError, match="only 0 of 0"):
            equal_token_counts([], TOKENIZERS, 1)


class TestExamples:
    @pytest.mark.parametrize("seed", range(20))
    def test_none_gives_the_answer_away_and_fewer_are_the_first(self, seed):
        pool = drawn(smallest=1, largest=9)
        question = pool[seed]
        four = draw_examples(question, pool, 4, np.random.default_rng(seed))
        assert question not in four
        assert len({example.answer for example in four}) == 4
        for example in four:
            assert question.answer not in (example.answer, example.first, example.second)
        for n in (0, 1, 2):
            assert draw_examples(question, pool, n, np.random.default_rng(seed)) == four[:n]

    def test_too_few_says_how_many(self):
        pool = [Question(1, "plus", 2), Question(2, "plus", 1), Question(2, "plus", 2)]
        with pytest.raises(UserError, match=r"only 1 of 2 examples .* 'What is 9 plus 9"):
            draw_examples(Question(9, "plus", 9), pool[:2], 2, np.random.default_rng(0))
        two = draw_examples(Question(9, "plus", 9), pool, 2, np.random.default_rng(0))
        assert sorted(example.answer for example in two) == [3, 4]


class TestChoice:
    def test_questions_are_distinct_and_more_of_them_begin_with_the_same(self):
        few, many = (choose(small(questions=n), TOKENIZERS) for n in (8, 64))
        assert len(set(many.questions)) == 64
        assert many.questions[:8] == few.questions
        assert many.examples[:8] == few.examples

    def test_each_question_has_its_own_examples(self):
        chosen = choose(small(), TOKENIZERS)
        assert {len(examples) for examples in chosen.examples} == {4}
        assert len({examples[0] for examples in chosen.examples}) > 16

    def test_the_seeds_drive_one_thing_each(self):
        base = choose(small(), TOKENIZERS)
        other = choose(small(shot_seed=1), TOKENIZERS)
        assert other.questions == base.questions
        assert other.examples != base.examples
        assert choose(small(seed=1), TOKENIZERS).questions != base.questions

    def test_questions_and_examples_of_one_seed_differ(self):
        chosen = choose(small(seed=5, shot_seed=5), TOKENIZERS)
        assert [e[0] for e in chosen.examples] != list(chosen.questions)

    @pytest.mark.parametrize("changes", [{"shots": [0]}, {"few_shot": []}])
    def test_no_examples_are_drawn_where_none_are_shown(self, changes):
        assert choose(small(questions=3, **changes), TOKENIZERS).examples == ((), (), ())

    def test_a_range_too_small_is_refused(self):
        with pytest.raises(UserError, match="32 are needed; widen smallest to largest"):
            choose(spec(smallest=10, largest=13), TOKENIZERS)
