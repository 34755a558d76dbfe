import pytest

from attnpipe.core.errors import UserError
from attnpipe.core.overrides import shown_overrides, split_overrides


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  ", []),
        ("seeds=[0,1]", ["seeds=[0,1]"]),
        ("seeds=[0, 1] name=x", ["seeds=[0, 1]", "name=x"]),
        ("title='two words' name=x", ["title='two words'", "name=x"]),
        ("+models.a={kind: mlp, hidden: [4, 4]}", ["+models.a={kind: mlp, hidden: [4, 4]}"]),
        ("title='a [b' name=x", ["title='a [b'", "name=x"]),
        ("a=1\n  b=2", ["a=1", "b=2"]),
        ("a=1 title='x y", ["a=1", "title='x y'"]),  # the end as Snakemake passes it on
    ],
)
def test_splits_at_white_space_outside_brackets_and_quotes(text, parts):
    assert split_overrides(text) == parts


@pytest.mark.parametrize("text", ["seeds=[0,1", "a={b: 1", "a=[1]]"])
def test_unclosed_brackets_are_named(text):
    with pytest.raises(UserError, match="unclosed") as error:
        split_overrides(text)
    assert text in str(error.value)


def test_a_report_is_told_no_place_on_this_machine():
    given = "seeds=[1, 2] data.path=/home/me/logs models.m.source.path='/x/y z' data.name=a/b"
    assert shown_overrides(given) == (
        "seeds=[1, 2] data.path=…/logs models.m.source.path=…/y z data.name=a/b"
    )
