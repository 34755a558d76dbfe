"""What is left of a cost after a short training: a clause, a flag, and no gate."""

from types import ModuleType

import polars as pl
import pytest
from tests.diagnosis.test_diagnose import MODEL, finding, likeness, small

from attnpipe.diagnosis.run import diagnose
from attnpipe.tables.effects import EFFECTS

LEFT = {"E2": ("uniform_finetuned", "F2"), "E3": ("position_mean_finetuned", "F3")}
AFTER = "after a fine-tune of 10 % of the steps"


def judged(factory: ModuleType, edit=None, **left: dict[str, float]):
    """Diagnose a study in which some costs were tried after a fine-tune."""
    plan = small(factory)
    tables = dict(factory.study(plan))
    rows = [
        {
            "level": "model", "model": MODEL, "kind": "intervention", "name": LEFT[code][0],
            "metric": metric, "n_seeds": 5, "n_units": 40, "margin": 0.02,
        } | effect
        for code, effect in left.items()
        for metric in ("loss", "skill_units")
    ]  # fmt: skip
    tables["effects"] = pl.concat([tables["effects"], EFFECTS.frame(rows)])
    if edit is not None:
        tables["effects"] = edit(tables["effects"])
    return diagnose(tables, factory.diagnosis_context(plan, finetune=0.1))


def test_a_cost_that_is_made_up_for_raises_a_flag(factory: ModuleType) -> None:
    result = judged(factory, E2=likeness(0.01, 0.005), E3=likeness(0.15, 0.01))
    flag = finding(result, "verdict").flags["RECOVERS"]
    assert flag.sentence.startswith("E2: a fine-tune of 10 % of the steps makes up for what")
    assert flag.sentence.endswith(
        " No model was trained as much longer with its own weights: a part may be due to more "
        "training alone."
    )
    assert flag.evidence == [f"causal.{MODEL}.E2", f"causal.{MODEL}.F2"]
    assert f"causal.{MODEL}.F2" in finding(result, "verdict").evidence


def test_both_costs_may_be_made_up_for(factory: ModuleType) -> None:
    result = judged(factory, E2=likeness(0.01, 0.005), E3=likeness(-0.15, 0.01))
    assert finding(result, "verdict").flags["RECOVERS"].sentence.startswith("E2, E3: ")


@pytest.mark.parametrize(
    "left",
    [
        likeness(0.25, 0.01),  # confirmed
        likeness(0.02, 0.01),  # open
        likeness(0.01, 0.005) | {"n_seeds": 4},  # one seed diverged
        likeness(0.01, 0.015),  # of the right sign, not shown to be below δ
    ],
)
def test_a_cost_that_is_not_shown_to_be_made_up_for_raises_none(factory, left) -> None:
    assert "RECOVERS" not in finding(judged(factory, E2=left), "verdict").flags


def test_what_costs_nothing_has_nothing_to_make_up_for(factory: ModuleType) -> None:
    def no_cost(effects: pl.DataFrame) -> pl.DataFrame:
        e2 = (pl.col("model") == MODEL) & (pl.col("code") == "E2")
        small = {"value": 0.001, "lo95": -0.003, "hi95": 0.005}
        return effects.with_columns(
            pl.when(e2).then(v).otherwise(pl.col(c)).alias(c) for c, v in small.items()
        )

    result = judged(factory, no_cost, E2=likeness(0.001, 0.004))
    assert "RECOVERS" not in finding(result, "verdict").flags


@pytest.mark.parametrize(
    ("predicate", "code", "other"), [("used", "E2", "E1"), ("content", "E3", "E4")]
)
def test_findings_say_what_is_left_and_rest_on_it(
    factory: ModuleType, predicate: str, code: str, other: str
) -> None:
    found = finding(judged(factory, **{code: likeness(0.1, 0.02)}), predicate)
    before, _, after = found.sentence.partition(f" ({code}, more than δ), {AFTER} ")
    assert after.startswith("+0.100 [0.080, 0.120] (more than δ)")
    assert AFTER not in before
    assert found.evidence == sorted(f"causal.{MODEL}.{c}" for c in (code, other, LEFT[code][1]))
    plain = finding(judged(factory), predicate)
    assert "fine-tune" not in plain.sentence
    assert plain.status == found.status == "YES"


def test_the_diagnosis_is_that_of_frozen_weights(factory: ModuleType) -> None:
    plain = finding(judged(factory), "verdict")
    found = finding(judged(factory, E2=likeness(0.0, 0.001), E3=likeness(0.0, 0.001)), "verdict")
    assert found.diagnosis == plain.diagnosis == "CONTENT-BENEFICIAL"
    assert found.gates == plain.gates


def test_evidence_names_its_row(factory: ModuleType) -> None:
    result = judged(factory, E2=likeness(0.01, 0.005))
    (evidence,) = [e for e in result.evidence if e.id == f"causal.{MODEL}.F2"]
    assert evidence.row == {
        "level": "model", "model": MODEL, "name": "uniform_finetuned", "metric": "skill_units",
    }  # fmt: skip
    assert (evidence.estimate, evidence.n_seeds, evidence.n_units) == (0.01, 5, 40)
