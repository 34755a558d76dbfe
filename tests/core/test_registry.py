"""Names stand for members that nothing imports before they are asked for."""

import sys

import pytest

from attnpipe.core.errors import UserError
from attnpipe.core.registry import Registry, nearest

MEMBERS = {"ratio": "fractions:Fraction", "lookup": "tests_of_no_module:nothing"}


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("lstm_smal", ["mlp_last", "lstm_small"], "did you mean 'lstm_small'?"),
        ("xyz", ["mlp_last", "lstm_small"], "known: mlp_last, lstm_small"),
        ("", ["a"], "known: a"),
        ("sinks", ["all_keys", "sinks_removed"], "did you mean 'sinks_removed'?"),
        ("window", ["kind", "keys"], "known: kind, keys"),
    ],
)
def test_a_hint_is_the_nearest_name_or_all_of_them(name: str, known: list[str], hint: str) -> None:
    assert nearest(name, known) == hint


def test_an_unknown_name_is_a_users_error_with_a_hint() -> None:
    with pytest.raises(UserError, match=r"unknown thing 'ratios': did you mean 'ratio'\?"):
        Registry("thing", MEMBERS)["ratios"]


def test_only_the_member_that_is_asked_for_is_imported() -> None:
    registry = Registry("thing", MEMBERS)
    assert list(registry) == ["ratio", "lookup"]
    assert len(registry) == 2
    assert registry.module("lookup") == "tests_of_no_module"
    assert "tests_of_no_module" not in sys.modules
    assert registry.load("ratio")(1, 2) == 0.5
    with pytest.raises(ModuleNotFoundError, match="tests_of_no_module"):
        registry.load("lookup")
