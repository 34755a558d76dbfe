"""What is missing, as a command that can be pasted."""

import shlex

import pytest

from attnpipe.pipeline.overrides import split_overrides
from attnpipe.report.command import command

CASES = {
    "nothing was chosen": ({}, ["seeds=[1,2]"], "overrides='seeds=[1,2]'"),
    "the defaults": (
        {"study": "geomagnetic", "scale": "quick", "overrides": ""},
        ["seeds=[1,2]"],
        "overrides='seeds=[1,2]'",
    ),
    "another study and scale": (
        {"study": "steering", "scale": "published", "overrides": ""},
        ["seeds=[1]"],
        "study=steering scale=published overrides='seeds=[1]'",
    ),
    "the same key is replaced, others stay": (
        {"overrides": "seeds=[1] models.a.label='x y'   name=mine"},
        ["seeds=[1,2]"],
        """overrides='models.a.label='"'"'x y'"'"' name=mine seeds=[1,2]'""",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_command(case: str) -> None:
    choice, additions, wanted = CASES[case]
    found = command(choice, additions)
    assert found == f"snakemake --cores 2 --config {wanted}"
    # A shell gives back what was asked for, in Hydra's grammar.
    last = shlex.split(found)[-1].removeprefix("overrides=")
    assert split_overrides(last)[-len(additions) :] == additions
