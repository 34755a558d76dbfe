"""What is missing, as a command that can be pasted."""

import re
import shlex
from pathlib import Path

import pytest

from attnpipe.core.overrides import split_overrides
from attnpipe.diagnosis.predicates.compression import MEASURE, POLICIES
from attnpipe.pipeline.config import load_study
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
    "a key that is set or added takes the place of one that was": (
        {"overrides": "++models.a.arms=[none] +models.b.arms=[none] ~models.c"},
        ["++models.a.arms=[none,uniform]", "++models.b.arms=[static]"],
        "overrides='~models.c ++models.a.arms=[none,uniform] ++models.b.arms=[static]'",
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


FINDINGS = Path(__file__).parents[2] / "src" / "attnpipe" / "diagnosis"
MINE = (
    "+models.mine={kind: lstm, label: Mine, hidden: 8, layers: 1, baseline: lstm_small, "
    "attention: {kind: simple}}"
)
"""A model whose config says nothing of arms."""
SEEDS = "seeds=[7,42,94,123,231,0]"
PASTED = {
    "seeds": ({}, [SEEDS]),
    "arms of a model that has some": ({}, ["++models.lstm_small_simple.arms=[none,uniform]"]),
    "arms of a model without the key": (
        {"overrides": MINE}, ["++models.mine.arms=[none,uniform,static]"],
    ),
    "arms of a model without the key, for the second time": (
        {"overrides": f"{MINE} ++models.mine.arms=[none]"},
        ["++models.mine.arms=[none,uniform]", SEEDS],
    ),
    "interventions": (
        {"overrides": "intervention.names=[]"},
        ["intervention.names=[output_mean,uniform,position_mean,permuted]"],
    ),
    "a fine-tune": ({"study": "ground_truth"}, ["intervention.finetune=0.1"]),
    "longer training": ({"scale": "published"}, ["training.epochs=300"]),
    "shorter windows": ({}, [MEASURE]),
    "shorter prompts": ({"study": "prompts", "overrides": "compression.policies=[]"}, [POLICIES]),
    "questions": ({"study": "prompts"}, ["data.questions=100"]),
}  # fmt: skip


@pytest.mark.parametrize("case", PASTED)
def test_what_is_printed_is_a_study(case: str) -> None:
    choice, additions = PASTED[case]
    words = shlex.split(command(choice, additions))[4:]
    config = dict(word.split("=", 1) for word in words)
    study = load_study(Path(__file__).parents[2] / "config", config)
    assert set(split_overrides(study.choice["overrides"])) >= set(additions)
    if "arms" in case:
        (name, *_) = [a.split(".")[1] for a in additions if "arms" in a]
        assert [*study.arms.of[name]][:2] == ["none", "uniform"]


def kind(override: str) -> str:
    """Return the key of an override, whatever model it is of."""
    return re.sub(r"^models\..*\.", "models.*.", override.lstrip("+").partition("=")[0])


def test_every_kind_of_override_that_findings_print_was_pasted() -> None:
    code = "".join(path.read_text("utf-8") for path in FINDINGS.rglob("*.py"))
    printed = {kind(text) for text in re.findall(r'"(\+*[a-z]+[a-z_.{}]*=)[\[{a-z]', code)}
    assert printed == {kind(text) for _, additions in PASTED.values() for text in additions}
