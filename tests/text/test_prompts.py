"""The prompts of document 3, and what is known about each."""

from itertools import pairwise

import pytest
from tests.text import vocabularies

from attnpipe.schema.text import PromptsData, VariantSpec
from attnpipe.text.arithmetic import Question
from attnpipe.text.chat import ChatTemplate
from attnpipe.text.choose import Chosen, choose
from attnpipe.text.names import is_segment
from attnpipe.text.prompts import compose_prompt, prompt_items
from attnpipe.text.spans import span_names
from attnpipe.text.tokens import tokenize

QUESTION = Question(15, "plus", 27)
EXAMPLES = (Question(3, "plus", 4), Question(10, "plus", 5))
PUBLISHED = {
    ("plain", 0): "What is 15 plus 27?",
    ("cot", 0): "Let's think step by step.\n\nWhat is 15 plus 27?",
    ("expert", 0): "You are an expert mathematician.\n\nWhat is 15 plus 27?",
    ("structured", 0): "Question: What is 15 plus 27?\nAnswer:",
    ("plain", 1): "Q: What is 3 plus 4?\nA: 7\n\nQ: What is 15 plus 27?\nA:",
    ("plain", 2): "Q: What is 3 plus 4?\nA: 7\n\nQ: What is 10 plus 5?\nA: 15\n\n"
    "Q: What is 15 plus 27?\nA:",
}


def spec(**changes):
    return PromptsData(**({"kind": "prompts", "name": "sums"} | changes))


def items(chat=None, **changes):
    made = spec(**({"shots": [0, 1, 2]} | changes))
    return prompt_items(made, Chosen((QUESTION,), (EXAMPLES,), 1), chat)


def parts(item, name):
    return [item.text[span.start : span.end] for span in item.spans if span.name == name]


def test_the_published_prompts():
    found = {(item.variant, item.shots): item.text for item in items()}
    assert found == PUBLISHED
    assert list(found) == [
        ("plain", 0),
        ("plain", 1),
        ("plain", 2),
        ("cot", 0),
        ("expert", 0),
        ("structured", 0),
    ]


def test_every_part_has_its_name():
    by_condition = {(item.variant, item.shots): item for item in items()}
    for item in by_condition.values():
        assert parts(item, "question") == ["What is 15 plus 27?"]
        assert [parts(item, n) for n in ("operand_1", "operator", "operand_2")] == [
            ["15"],
            ["plus"],
            ["27"],
        ]
    assert parts(by_condition["cot", 0], "instruction") == ["Let's think step by step."]
    assert parts(by_condition["expert", 0], "instruction") == ["You are an expert mathematician."]
    assert parts(by_condition["structured", 0], "answer_cue") == ["Answer:"]
    assert parts(by_condition["plain", 0], "answer_cue") == []
    two = by_condition["plain", 2]
    assert parts(two, "shot_1_question") == ["What is 3 plus 4?"]
    assert parts(two, "shot_1_answer") == ["7"]
    assert parts(two, "shot_2_question") == ["What is 10 plus 5?"]
    assert parts(two, "shot_2_answer") == ["15"]
    assert parts(two, "answer_cue") == ["A:"]


def test_the_answers_of_examples_are_not_the_numbers_of_the_question():
    """Document 3 looked for "7" and "15" in decoded tokens, which the question has too."""
    tokenizer = vocabularies.byte_level()
    (two,) = (item for item in items() if item.shots == 2)
    tokens = tokenize(two.text, two.spans, tokenizer)
    covered = {(t.span.name, t.span.occurrence): set(t.tokens.tolist()) for t in tokens.spans}
    question = covered["question", 0]
    assert not question & (covered["shot_1_answer", 0] | covered["shot_2_answer", 0])
    assert covered["keyword: 15", 0] == covered["shot_2_answer", 0]
    assert covered["keyword: 15", 1] == covered["operand_1", 0] < question
    assert len(covered["operand_1", 0]) == 2  # this vocabulary takes each digit alone
    assert ("keyword: 7", 0) not in covered


def test_keywords_are_counted_also_where_they_are_not():
    found = {(item.variant, item.shots): item.keywords for item in items()}
    assert found["plain", 0] == {
        "plus": 1,
        "step": 0,
        "expert": 0,
        "math": 0,
        "Question": 0,
        "Answer": 0,
        "15": 1,
        "27": 1,
    }
    assert found["cot", 0]["step"] == 2
    assert found["expert", 0]["math"] == found["expert", 0]["expert"] == 1
    assert found["structured", 0]["Question"] == found["structured", 0]["Answer"] == 1
    assert found["plain", 2]["15"] == 2
    assert items(operand_keywords=False, keywords=["7"])[0].keywords == {"7": 0}
    (same,) = prompt_items(
        spec(few_shot=[], variants={"plain": VariantSpec()}),
        Chosen((Question(7, "plus", 7),), ((),), 1),
    )
    assert same.keywords["7"] == 2


def test_items_are_numbered_and_paired_on_their_question():
    made = spec(questions=3, smallest=10, largest=25)
    chosen = choose(made, [vocabularies.byte_level()])
    found = prompt_items(made, chosen)
    assert [item.item for item in found] == list(range(3 * 7))
    assert [item.question for item in found] == [0] * 7 + [1] * 7 + [2] * 7
    for item in found:
        question = chosen.questions[item.question]
        assert parts(item, "question") == [question.text]
        assert item.answer == question.answer
        for shot, example in enumerate(chosen.examples[item.question][: item.shots], start=1):
            assert parts(item, f"shot_{shot}_question") == [example.text]
            assert parts(item, f"shot_{shot}_answer") == [str(example.answer)]
        assert set(span_names(made)) >= {s.name for s in item.spans if "keyword" not in s.name}


def test_all_prompts_of_a_condition_have_one_length_and_every_span_its_tokens():
    made = spec(questions=16, smallest=85, largest=105)
    tokenizers = [vocabularies.byte_level(), vocabularies.word_piece()]
    found = prompt_items(made, choose(made, tokenizers))
    for tokenizer in tokenizers:
        lengths, question = {}, set()
        for item in found:
            tokens = tokenize(item.text, item.spans, tokenizer)
            lengths.setdefault((item.variant, item.shots), set()).add(len(tokens.ids))
            question.add(sum(len(t.tokens) for t in tokens.spans if t.span.name == "question"))
        assert len(lengths) == 7
        assert all(len(found) == 1 for found in lengths.values())
        assert len(question) == 1


def test_segments_lie_side_by_side():
    for item in items(system="You are kind."):
        segments = [span for span in item.spans if is_segment(span.name)]
        assert len(segments) >= 2
        for before, after in pairwise(segments):
            assert before.end <= after.start
    assert not any(is_segment(name) for name in ("operand_1", "keyword: question", "shot_0_answer"))


def test_a_variant_with_prefix_and_suffix_writes_its_examples_like_itself():
    found = compose_prompt(spec(), spec().variants["structured"], QUESTION, EXAMPLES[:1])
    assert found.text == (
        "Question: What is 3 plus 4?\nAnswer: 7\n\nQuestion: What is 15 plus 27?\nAnswer:"
    )
    cot = compose_prompt(spec(), spec().variants["cot"], QUESTION, EXAMPLES[:1])
    assert cot.text == "Let's think step by step.\n\n" + PUBLISHED["plain", 1]
    assert cot.named("instruction") == ["Let's think step by step."]


def test_a_system_text_comes_first():
    item = items(system="Be brief. ")[0]
    assert item.text == "Be brief. \n\nWhat is 15 plus 27?"
    assert parts(item, "system") == ["Be brief."]
    assert parts(item, "operand_1") == ["15"]


def test_a_chat_template_has_written_the_special_tokens():
    template = ChatTemplate("<s>{% for m in messages %}[{{ m.content }}]{% endfor %}>", {})
    raw, chat = items(), items(template, template="chat", system="Be brief.")
    assert [item.text for item in chat] == [f"<s>[Be brief.][{item.text}]>" for item in raw]
    assert all(item.add_special_tokens for item in raw)
    assert not any(item.add_special_tokens for item in chat)
    for before, after in zip(raw, chat, strict=True):
        assert parts(after, "system") == ["Be brief."]
        for span in before.spans:
            assert parts(before, span.name) == parts(after, span.name)
    with pytest.raises(ValueError, match="needs the model's chat template"):
        items(template="chat")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"variants": {"plain": VariantSpec()}, "shots": [0, 1]},
            ["shot_1_question", "shot_1_answer", "question", "operands", "answer_cue"],
        ),
        (
            {"variants": {"a": VariantSpec(instruction="Think.")}, "few_shot": []},
            ["instruction", "question", "operands"],
        ),
        (
            {"variants": {"a": VariantSpec(suffix=" =")}, "few_shot": [], "system": "Hi."},
            ["system", "question", "operands", "answer_cue"],
        ),
    ],
)
def test_the_names_of_spans_are_known_beforehand(changes, expected):
    place = expected.index("operands")
    expected[place : place + 1] = ["operand_1", "operator", "operand_2"]
    assert span_names(spec(**changes)) == expected
