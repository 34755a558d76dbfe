"""What is said of heads that are removed one by one."""

import polars as pl

from attnpipe.diagnosis.context import DiagnosisContext
from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Finding
from attnpipe.tables.effects import EFFECTS
from attnpipe.tables.study import INVENTORY, SIMILARITY

P = {(0, 0): 0.001, (0, 1): 0.012, (1, 0): 0.02, (1, 1): 0.6}
"""Layer and head → p; by hand: BH .004, .024, .0267, .6; BY (× 25/12) .0083, .05, .0556, 1."""
BH = {(0, 0): 0.004, (0, 1): 0.024, (1, 0): 0.08 / 3, (1, 1): 0.6}
BY = {(0, 0): 0.0083, (0, 1): 0.05, (1, 0): 0.0556, (1, 1): 1.0}
VALUE = {(0, 0): 0.1, (0, 1): 0.3, (1, 0): -0.05, (1, 1): 0.01}


def row(**of):
    value = of["value"]
    half = {} if value is None else {"lo95": value - 0.01, "hi95": value + 0.01}
    shared = {
        "level": "model", "model": "m", "kind": "intervention", "metric": "skill_units",
        "n_seeds": 5, "n_units": 40,
    }  # fmt: skip
    return shared | half | of


def heads(**changes):
    return [
        row(name="single_head", layer=at[0], head=at[1], value=VALUE[at], p=P[at], p_bh=BH[at],
            p_by=BY[at]) | changes
        for at in P
    ] + [WHOLE]  # fmt: skip


WHOLE = row(name="output_mean", code="E1", value=0.8)


def layers(above: dict[int, bool]) -> pl.DataFrame:
    """The likeness of matched heads, and a second head that tells that there are several."""
    at = {"model": "m", "checkpoint": "best", "measure": "matched_cosine", "value": 0.6, "n": 5}
    rows = [at | {"level": "layer", "layer": k, "above_null": v} for k, v in above.items()]
    rows.append(
        {"model": "m", "checkpoint": "best", "level": "model", "measure": "centred_cosine",
         "layer": 0, "head": 1, "value": 0.6, "n": 5}
    )  # fmt: skip
    return SIMILARITY.frame(rows)


def judged(rows, above=None) -> list[Finding]:
    runs = [{"model": "m", "seed": s, "outcome": "ok", "final": "best"} for s in range(5)]
    tables = {
        "effects": EFFECTS.frame(rows), "inventory": INVENTORY.frame(runs),
        "similarity": layers(above or {0: True, 1: True}),
    }  # fmt: skip
    context = DiagnosisContext(
        title="", labels={"m": "M"}, attention_models=("m",), baselines={"m": None},
        seeds=tuple(range(5)),
    )  # fmt: skip
    return [f for f in diagnose(tables, context).findings if f.predicate == "single_heads"]


def test_single_heads_mislead_without_what_all_cost_together() -> None:
    (found,) = judged(heads()[:-1])
    assert found.status == "INCONCLUSIVE"
    assert found.missing == ["E1: what all heads cost together, intervention 'output_mean'"]
    assert found.next_overrides == [
        "intervention.names=[output_mean,uniform,position_mean,permuted]"
    ]


def test_heads_that_cost_something_are_named_with_both_adjustments_beside() -> None:
    (found,) = judged(heads())
    assert found.status == "YES"
    assert (
        "2 of 4 heads cost skill (5 seeds × 40 units): head 1 of layer 0 (+0.300 [0.290, 0.310]), "
        "head 0 of layer 0 (+0.100 [0.090, 0.110]) (Benjamini–Hochberg, 5 % false; 2 under any "
        "dependence, Benjamini–Yekutieli)." in found.sentence
    )
    assert "Without head 0 of layer 1 (−0.050 [−0.060, −0.040]) the model is better." in (
        found.sentence
    )
    assert "all together cost 0.800 [0.790, 0.810]." in found.sentence
    assert found.effect_range == (-0.05, 0.3)
    assert {f"single_head.m.l{a}h{b}" for a, b in P} | {"causal.m.E1"} <= {*found.evidence}


def test_fewer_heads_may_be_named_under_any_dependence() -> None:
    (found,) = judged(heads(p_by=0.2))
    assert "5 % false; 0 under any dependence" in found.sentence


def test_a_head_that_is_not_shown_to_be_missed_is_not_shown_to_be_spare() -> None:
    (found,) = judged(heads(p_bh=0.2, p_by=0.4))
    assert found.status == "INCONCLUSIVE"
    assert "Of 4 heads none is shown to be missed" in found.sentence
    assert found.missing == ["more seeds: intervals are wide"]


def test_few_seeds_decide_nothing() -> None:
    (three,) = judged(heads(n_seeds=3))
    assert (three.status, three.missing) == ("INCONCLUSIVE", ["2 more seeds (there are 3)"])
    (one,) = judged(heads(n_seeds=1, p=None, p_bh=None, p_by=None, lo95=None, hi95=None))
    assert (one.status, one.missing) == ("DESCRIPTIVE", ["4 more seeds (there is 1)"])
    assert three.next_overrides == ["seeds=[0,1,2,3,4,5,6]"]  # two of five are lost
    assert one.next_overrides == ["seeds=[0,1,2,3,4,5,6,7,8]"]


def test_a_name_stands_for_no_head_where_partners_are_not_alike() -> None:
    (found,) = judged(heads(), {0: True, 1: False})
    assert "in layer 1 partners are no more alike than independent heads" in found.sentence
    (alike,) = judged(heads())
    assert "no more alike" not in alike.sentence


def test_without_skill_nothing_can_be_a_share_of_it() -> None:
    (found,) = judged(heads(value=None, lo95=None, hi95=None, p=None, p_bh=None, p_by=None))
    assert (found.status, found.effect) == ("INCONCLUSIVE", None)


def test_one_head_is_not_asked_about() -> None:
    assert judged([WHOLE]) == []
