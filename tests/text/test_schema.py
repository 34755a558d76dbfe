"""What a config of texts may say."""

import pytest
from pydantic import ValidationError

from attnpipe.schema.text import PromptsData, SentencesData
from attnpipe.text.conditions import conditions


def prompts(**changes):
    return PromptsData(**({"kind": "prompts", "name": "sums"} | changes))


def test_the_defaults_are_those_of_document_3():
    spec = prompts()
    assert list(spec.variants) == ["plain", "cot", "expert", "structured"]
    assert spec.questions == 32
    assert spec.template == "raw"
    assert conditions(spec) == [
        ("plain", 0),
        ("plain", 1),
        ("plain", 2),
        ("plain", 4),
        ("cot", 0),
        ("expert", 0),
        ("structured", 0),
    ]
    assert spec.keywords == ["plus", "step", "expert", "math", "Question", "Answer"]


def test_a_config_as_yaml_gives_it():
    spec = PromptsData.model_validate(
        {
            "kind": "prompts",
            "name": "mine",
            "variants": {"plain": {}, "kind": {"instruction": "Be kind."}},
            "example": {"prefix": "", "suffix": " ="},
            "few_shot": ["kind"],
            "shots": [0, 3],
        }
    )
    assert conditions(spec) == [("plain", 0), ("kind", 0), ("kind", 3)]
    assert spec.example.gap == " "


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"questions": 1}, "greater than or equal to 2"),
        ({"question": "What is {first} plus {second}?"}, "must hold"),
        ({"question": "{first} {operation} {second} {second}"}, "must hold"),
        ({"question": "{first} {operation} {second.real}"}, "must hold"),
        ({"smallest": 9, "largest": 9}, "raise largest"),
        ({"operations": []}, "at least 1 item"),
        ({"operations": ["over"]}, "'plus', 'minus' or 'times'"),
        ({"operations": ["plus", "plus"]}, "operations: 'plus' is listed twice"),
        ({"shots": [0, 1, 1]}, "shots: '1' is listed twice"),
        ({"shots": [17]}, "less than or equal to 16"),
        ({"shots": []}, "at least 1 item"),
        ({"variants": {"plain": {}, "2_shot": {"prefix": "x"}}}, "'2_shot' is what a variant with"),
        ({"variants": {"plain": {}, "cot_2_shot": {"prefix": "x"}}}, "rename it"),
        ({"few_shot": ["plane"]}, "'plane' is no variant; name one of plain, cot"),
        ({"keywords": ["step", "Step"]}, "keywords: 'step' is listed twice"),
        ({"keywords": [" "]}, "match pattern"),
        ({"keywords": [27]}, "valid string"),
        ({"match": "stem"}, "'word', 'prefix' or 'substring'"),
        ({"variants": {}}, "at least 1 item"),
        ({"variants": {"a": {}, "b": {}}, "few_shot": []}, "'a' and 'b' are the same"),
        (
            {"variants": {"a": {}, "b": {"max_new_tokens": 9}}, "few_shot": []},
            "'a' and 'b' are the same",
        ),
        ({"max_new_tokens": 2, "min_new_tokens": 3}, "max_new_tokens is 2 and min_new_tokens 3"),
        (
            {"min_new_tokens": 3, "variants": {"a": {"max_new_tokens": 2}}, "few_shot": []},
            "variants.a.max_new_tokens is 2 and min_new_tokens 3; raise variants.a",
        ),
        ({"variants": {"a b": {}}, "few_shot": []}, "match pattern"),
        ({"variants": {"a": {"sufix": "x"}}, "few_shot": []}, "Extra inputs"),
        ({"example": {"suffix": "\n"}}, "match pattern"),
        ({"template": "chatml"}, "'raw' or 'chat'"),
        ({"seeds": 3}, "Extra inputs"),
    ],
)
def test_nonsense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        prompts(**changes)


def test_sentences_need_a_range_of_lengths():
    spec = SentencesData(kind="sentences", name="manual")
    assert spec.min_tokens <= spec.max_tokens
    with pytest.raises(ValidationError, match="raise max_tokens"):
        SentencesData(kind="sentences", name="manual", min_tokens=9, max_tokens=8)
