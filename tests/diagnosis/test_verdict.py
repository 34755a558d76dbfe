"""Verdicts from tables: each falls with what it needs, and says what to run."""

from types import ModuleType

import pytest
from tests.diagnosis.test_diagnose import (
    AT,
    EFFECT,
    MODEL,
    drop,
    finding,
    judged,
    likeness,
    put,
    small,
)

AVERAGING, UNUSED, HARMFUL = (
    "lstm_medium_scaled_dot", "lstm_medium_simple", "lstm_medium_additive",
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "diagnosis", "advice"),
    [
        (MODEL, "CONTENT-BENEFICIAL", "Keep attention."),
        (UNUSED, "SHARP-BUT-UNUSED", "Drop attention; its heatmaps are no evidence of anything."),
        (HARMFUL, "HARMFUL", "Drop attention."),
        (AVERAGING, "AVERAGING",
         "Mean pooling is enough; pooling itself is needed: without it, the model does worse."),
    ],
)  # fmt: skip
def test_each_model_gets_one_diagnosis(
    factory: ModuleType, model: str, diagnosis: str, advice: str
) -> None:
    found = finding(judged(factory, small(factory)), "verdict", model)
    assert (found.diagnosis, found.recommendation) == (diagnosis, advice)
    assert [gate.code for gate in found.gates] == ["E1", "E2", "E3", "E4", "R0", "R1", "R2"]
    assert set(found.at_margins) == {"0.01", "0.02", "0.05"}
    assert found.next_overrides == []


def test_harm_to_a_model_that_still_learns_holds_at_its_training_budget_alone(
    factory: ModuleType,
) -> None:
    found = finding(judged(factory, small(factory, short=frozenset({HARMFUL}))), "verdict", HARMFUL)
    assert found.diagnosis == "HARMFUL"
    assert found.recommendation is not None
    assert found.recommendation.startswith("At this training budget, drop attention")
    assert (
        "in 5 of 5 runs in the last tenth of the training" in found.flags["SHORT-TRAINING"].sentence
    )
    assert (found.next_overrides, found.missing) == (["training.epochs=12"], ["longer training"])


@pytest.mark.parametrize(
    ("table", "row", "blocking"),
    [
        ("inventory", {"model": MODEL, "seed": 42}, "attention of"),
        ("metrics", {"metric": "rows_excluded"}, "attention of"),
        ("comparisons", {"level": "skill", "model": MODEL}, "skill of"),
    ],
)
def test_without_valid_rows_or_skill_no_gate_has_a_meaning(
    factory: ModuleType, table: str, row: dict[str, object], blocking: str
) -> None:
    found = finding(judged(factory, small(factory), drop(table, **row)), "verdict")
    assert found.diagnosis == "INCONCLUSIVE"
    assert found.missing[0].startswith(blocking)


def test_an_open_skill_comes_with_the_seeds_that_would_settle_it(factory: ModuleType) -> None:
    open_skill = put("comparisons", {"level": "skill", "model": MODEL}, **likeness(0.1, 0.11))
    found = finding(judged(factory, small(factory), open_skill), "verdict")
    assert found.diagnosis == "INCONCLUSIVE"
    # s = .11 √5 / t(4) = .0886; t(5) s/√6 = .093 ≤ .1.
    assert found.next_overrides == ["seeds=[7,42,94,123,231,0]"]


def test_interventions_that_were_asked_for_stay_in_what_to_run(factory: ModuleType) -> None:
    from attnpipe.diagnosis.run import diagnose

    plan = small(factory)
    tables = drop("effects", model=MODEL, code="E3")(factory.study(plan))
    context = factory.diagnosis_context(plan, interventions=("uniform", "local_window"))
    found = finding(diagnose(tables, context), "verdict")
    names = "uniform,local_window,output_mean,position_mean,permuted"
    assert found.next_overrides == [f"intervention.names=[{names}]"]


@pytest.mark.parametrize("code", ["E1", "E3", "E4", "R0", "R1", "R2"])
def test_without_a_gate_it_needs_a_verdict_is_inconclusive(factory: ModuleType, code: str) -> None:
    found = finding(
        judged(factory, small(factory), drop("effects", model=MODEL, code=code)), "verdict"
    )
    assert (found.status, found.diagnosis) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert any(line.startswith(f"{code}: ") for line in found.missing)
    arm = {"R0": "none", "R1": "uniform", "R2": "static"}.get(code)
    assert found.next_overrides == [
        f"++models.{MODEL}.arms=[{arm}]"
        if arm
        else "intervention.names=[output_mean,uniform,position_mean,permuted]"
    ]


@pytest.mark.parametrize("arm", ["R0", "R1"])
@pytest.mark.parametrize("model", [UNUSED, AVERAGING])
def test_an_arm_that_was_not_trained_leaves_every_verdict_open(
    factory: ModuleType, model: str, arm: str
) -> None:
    found = finding(
        judged(factory, small(factory), drop("effects", model=model, code=arm)), "verdict", model
    )
    assert (found.status, found.diagnosis) == ("INCONCLUSIVE", "INCONCLUSIVE")
    name = {"R0": "none", "R1": "uniform"}[arm]
    assert found.next_overrides == [f"++models.{model}.arms=[{name}]"]
    assert "HARMFUL" in found.sentence


@pytest.mark.parametrize(
    ("model", "code"), [(MODEL, "R1"), (UNUSED, "E1"), (HARMFUL, "R0"), (AVERAGING, "E2")]
)
def test_the_headline_is_the_effect_that_decided(
    factory: ModuleType, model: str, code: str
) -> None:
    found = finding(judged(factory, small(factory)), "verdict", model)
    (gate,) = [g for g in found.gates if g.code == code]
    assert (found.effect, found.lo95, found.hi95) == (gate.effect, gate.lo95, gate.hi95)


def test_arms_that_were_asked_for_stay_in_what_to_run(factory: ModuleType) -> None:
    from attnpipe.diagnosis.run import diagnose

    plan = small(factory)
    tables = drop("effects", model=MODEL, code="R1")(factory.study(plan))
    context = factory.diagnosis_context(plan, arms={MODEL: ("none", "static")})
    found = finding(diagnose(tables, context), "verdict")
    assert found.next_overrides == [f"++models.{MODEL}.arms=[none,uniform,static]"]


def test_an_open_gate_asks_for_as_many_seeds_as_would_settle_it(factory: ModuleType) -> None:
    wide = put("effects", EFFECT | {"code": "R0"}, **likeness(0.03, 0.05))
    found = finding(judged(factory, small(factory), wide), "verdict")
    assert found.diagnosis == "INCONCLUSIVE"
    assert found.missing == ["R0: about 12 seeds (there are 5)"]
    assert found.next_overrides == ["seeds=[7,42,94,123,231,0,1,2,3,4,5,6]"]


def test_seeds_that_gave_no_evidence_are_asked_for_beside_those_that_are_needed(
    factory: ModuleType,
) -> None:
    """Of six seeds one diverged: twelve that end well are about thirteen."""
    plan = small(factory, seeds=(1, 2, 3, 4, 5, 6), diverged=frozenset({(MODEL, 6)}))
    wide = put("effects", EFFECT | {"code": "R0"}, **likeness(0.03, 0.05))
    found = finding(judged(factory, plan, wide), "verdict")
    assert found.missing == ["R0: about 12 seeds (there are 5)"]
    assert found.next_overrides == ["seeds=[1,2,3,4,5,6,0,7,8,9,10,11,12]"]


TEN = "seeds=[7,42,94,123,231,0,1,2,3,4]"


@pytest.mark.parametrize(
    ("edits", "seeds", "finetune", "missing", "overrides"),
    [
        ({"E4": 0.0}, 5, 0.0,
         ["E3 and E4: 10 seeds (there are 5)",
          "E3: what is left of its cost after a fine-tune of 10 % of the steps"],
         [TEN, "intervention.finetune=0.1"]),
        ({"E4": 0.0}, 5, 0.1, ["E3 and E4: 10 seeds (there are 5)"], [TEN]),
        ({"E3": 0.0}, 5, 0.0, ["E3 and E4: 10 seeds (there are 5)"], [TEN]),
        ({"E4": 0.0}, 10, 0.1,
         ["E3 and E4: other test data; more seeds will hardly settle it"], []),
    ],
)  # fmt: skip
def test_answers_that_contradict_each_other_are_asked_again(
    factory: ModuleType,
    edits: dict[str, float],
    seeds: int,
    finetune: float,
    missing: list[str],
    overrides: list[str],
) -> None:
    from attnpipe.diagnosis.run import diagnose

    plan = small(factory) if seeds == 5 else small(factory, seeds=tuple(range(seeds)))
    tables = factory.study(plan)
    for code, value in edits.items():
        tables = put("effects", EFFECT | {"code": code}, **likeness(value, 0.004))(tables)
    found = finding(diagnose(tables, factory.diagnosis_context(plan, finetune=finetune)), "verdict")
    assert found.diagnosis == "INCONCLUSIVE"
    assert found.sentence.endswith(
        " All gates have an answer, but E3 and E4 contradict each other: no diagnosis fits both."
    )
    assert found.recommendation == "Conclude nothing while E3 and E4 contradict each other."
    assert (found.missing, found.next_overrides) == (missing, overrides)


@pytest.mark.parametrize("code", ["E2", "R2"])
def test_gates_without_an_answer_are_not_said_to_have_one(factory: ModuleType, code: str) -> None:
    against = put("effects", EFFECT | {"code": "E4"}, **likeness(0.0, 0.004))
    wide = put("effects", EFFECT | {"code": code}, **likeness(0.02, 0.01))
    found = finding(judged(factory, small(factory), against, wide), "verdict")
    assert "All gates" not in found.sentence
    assert found.sentence.endswith(". E3 and E4 contradict each other: no diagnosis fits both.")


def test_swapping_model_and_arm_flips_the_sign(factory: ModuleType) -> None:
    swapped = put("effects", EFFECT | {"code": "R0"}, **likeness(-0.1, 0.004))
    assert finding(judged(factory, small(factory), swapped), "verdict").diagnosis == "HARMFUL"


def test_the_margin_decides_and_other_margins_are_told(factory: ModuleType) -> None:
    near = put("effects", EFFECT | {"code": "R1"}, **likeness(0.03, 0.004), lo90=0.027, hi90=0.033)
    found = finding(judged(factory, small(factory), near), "verdict")
    assert found.at_margins == {
        "0.01": "CONTENT-BENEFICIAL", "0.02": "CONTENT-BENEFICIAL", "0.05": "CONTENT-REDUNDANT",
    }  # fmt: skip


def test_seeds_that_disagree_raise_a_flag(factory: ModuleType) -> None:
    one = put("effects", {"model": MODEL, "level": "seed", "code": "R0", "seed": 42}, value=-0.3)
    raised = finding(judged(factory, small(factory), one), "verdict").flags
    assert raised["HETEROGENEOUS"].sentence == (
        "Seeds taken one by one differ: CONTENT-BENEFICIAL for 4, HARMFUL for 1."
    )
    assert f"causal_seed.{MODEL}.R0.42" in raised["HETEROGENEOUS"].evidence
    assert "HETEROGENEOUS" not in finding(judged(factory, small(factory)), "verdict").flags


@pytest.mark.parametrize("seeds", [(1, 2), (1, 2, 3, 4)])
def test_few_seeds_settle_nothing_that_is_not_huge(factory: ModuleType, seeds: tuple) -> None:
    plan = small(factory, seeds=seeds)
    near = put("effects", EFFECT | {"code": "R1"}, **likeness(0.03, 0.008))
    found = finding(judged(factory, plan, near), "verdict")
    assert found.diagnosis == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("flag", "where", "value", "said"),
    [
        (
            "SINK",
            {"metric": "profile", "target": 0},
            0.4,
            "1 head of 1 puts up to 40 % of the weight on the first key",
        ),
        ("NON-IDENTIFIABLE", {"metric": "null_share"}, 0.66, "66 % of what sets rows apart"),
        ("POSITION-ONLY", {"metric": "content_share"}, 0.001, "Weights hardly vary"),
    ],
)
def test_flags_of_shape(
    factory: ModuleType, flag: str, where: dict[str, object], value: float, said: str
) -> None:
    flagged = put("metrics", AT | where, mean=value)
    diagnosis = judged(factory, small(factory), flagged)
    found = finding(diagnosis, "verdict")
    assert found.flags[flag].sentence.startswith(said)
    rows = [e for e in diagnosis.evidence if e.id in found.flags[flag].evidence]
    assert value in [e.estimate for e in rows]
    assert {e.id for e in rows} <= {*found.evidence}
    assert flag not in finding(judged(factory, small(factory)), "verdict").flags


LOG = {"level": "model", "metric": "log_ratio"}
MEANS = {"model": MODEL, "level": "model", "metric": "log_of_means", "code": "E2"}
OPEN = put("effects", EFFECT | {"code": "E2"}, value=2.0, lo95=-0.5, hi95=4.5)
BY_RATIO = put("effects", MEANS, value=3.0, lo95=2.0, hi95=4.0, margin=0.5)
HOLM = "with Holm's correction over the 4 models of the study"
RATIO = (
    "the ratio of losses does not show what their difference shows; few items with large losses "
    "may carry it."
)


@pytest.mark.parametrize(
    ("flag", "model", "options", "edits", "sentence", "evidence"),
    [
        ("NOT-CONVERGED", MODEL, {"censored": True}, [],
         "Attention had not settled when training ended.",
         [f"convergence.{MODEL}.{seed}" for seed in (123, 231, 42, 7, 94)]),
        ("SKEWED", MODEL, {}, [put("effects", LOG | {"model": MODEL, "code": "E2"}, lo95=0.0)],
         f"E2: {RATIO}", [f"causal.{MODEL}.E2"]),
        ("SKEWED", HARMFUL, {}, [
            put("effects", LOG | {"model": HARMFUL, "code": "E2"}, lo95=-0.1),
            put("effects", LOG | {"model": HARMFUL, "code": "R0"}, hi95=0.0),
        ], f"E2, R0: {RATIO}", [f"causal.{HARMFUL}.E2", f"causal.{HARMFUL}.R0"]),
        ("BY-RATIO", MODEL, {}, [OPEN, BY_RATIO],
         "E2: seeds lose so different multiples that the interval of their mean leaves it open; "
         "that of the ratio of losses, seed by seed, lies above the margin, and decides.",
         [f"causal.{MODEL}.E2"]),
        ("MULTIPLICITY", MODEL, {}, [
            OPEN, put("effects", EFFECT | {"code": "E2"}, p_claim_holm=0.01), BY_RATIO,
            put("effects", MEANS, p_claim_holm=0.05),
        ], f"E2: {HOLM} it would be open.", [f"causal.{MODEL}.E2"]),
        ("MULTIPLICITY", MODEL, {}, [put("effects", EFFECT | {"code": "R1"}, p_claim_holm=0.05)],
         f"R1: {HOLM} it would be open.", [f"causal.{MODEL}.R1"]),
        ("MULTIPLICITY", AVERAGING, {}, [  # of NO, too
            put("effects", EFFECT | {"model": AVERAGING, "code": code}, p_claim_holm=0.2)
            for code in ("E1", "E3")
        ], f"E1, E3: {HOLM} they would be open.",
         [f"causal.{AVERAGING}.E1", f"causal.{AVERAGING}.E3"]),
        ("UNSTABLE-PATTERN", MODEL, {}, [
            put("similarity", AT | {"level": "model", "measure": "centred_cosine"},
                **likeness(0.2, 0.1)),
        ], "Seeds look at different things: what one of them looks at says nothing of the others.",
         [f"similarity.{MODEL}.centred_cosine"]),
    ],
    ids=[
        "unsettled", "skewed", "skewed harm", "ratio", "gate by ratio", "one gate", "two gates",
        "unstable",
    ],
)  # fmt: skip
def test_flags_of_runs_and_gates(
    factory: ModuleType, flag: str, model: str, options: dict[str, object], edits: list,
    sentence: str, evidence: list[str],
) -> None:  # fmt: skip
    found = finding(judged(factory, small(factory, **options), *edits), "verdict", model)
    assert found.flags[flag].sentence == sentence
    assert {*evidence} <= {*found.flags[flag].evidence} <= {*found.evidence}
    plain = finding(judged(factory, small(factory)), "verdict", model)
    assert flag not in plain.flags
    assert found.diagnosis == plain.diagnosis  # a flag stands beside it


@pytest.mark.parametrize(
    "edits",
    [
        [put("effects", LOG | {"model": MODEL, "code": "E2"}, lo95=0.001)],
        [put("effects", EFFECT | {"code": "R1"}, p_claim_holm=0.049)],
        [  # a gate without an answer shows nothing that could be doubted
            put("effects", EFFECT | {"code": "R2"}, **likeness(0.02, 0.01), p_claim_holm=0.5),
            put("effects", LOG | {"model": MODEL, "code": "R2"}, lo95=-0.1),
        ],
    ],
    ids=["ratio", "Holm", "open"],
)
def test_gates_that_stand_every_check_raise_no_flag(factory: ModuleType, edits: list) -> None:
    assert finding(judged(factory, small(factory), *edits), "verdict").flags == {}


def test_content_cannot_be_told_where_all_samples_have_it_in_one_place(factory: ModuleType) -> None:
    from attnpipe.diagnosis.run import diagnose

    context = factory.diagnosis_context(small(factory), one_place=True)
    flags = finding(diagnose(factory.study(small(factory)), context), "verdict").flags
    assert flags["POSITION-ONLY"].sentence.startswith("What is to be looked at stands at the same")


@pytest.mark.parametrize(("period", "one"), [([16, 16], True), ([8, 20], False)])
def test_blocks_of_one_length_are_in_one_place(period: list[int], one: bool) -> None:
    from attnpipe.diagnosis.context import diagnosis_context

    study = {"labels": {}, "attention_models": [], "baselines": {}, "seeds": [0], "delta": 0.02}
    description = {"target": {}, "tokens": {"vocabulary": 32, "period": period}}
    assert diagnosis_context({"title": "", "context": study}, description).one_place is one


@pytest.mark.parametrize(
    ("second", "raised"), [(None, True), (0.001, True), (0.3, False)], ids=["uniform", "", "varies"]
)
def test_a_head_without_a_share_of_content_has_none_to_show(
    factory: ModuleType, second: float | None, raised: bool
) -> None:
    share = AT | {"metric": "content_share"}
    edits = [put("metrics", share, mean=0.001), put("metrics", share | {"head": 1}, mean=second)]
    flags = finding(judged(factory, small(factory, heads=2), *edits), "verdict").flags
    assert ("POSITION-ONLY" in flags) is raised


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ({"loss_regained": 0.02}, None),
        ({"loss_regained": None}, None),
        (
            {"loss_regained": 0.4},
            "Rows look at one key, and training was unsteady: in 1 of 5 runs the validation loss "
            "rose again by up to 40 % of all that it fell.",
        ),
        (
            {"outcome": "diverged", "reason": "the loss became NaN", "loss_regained": 0.4},
            "Rows look at one key, and training was unsteady: 1 run diverged.",
        ),
    ],
)
def test_rows_at_one_key_are_collapsed_only_where_training_was_unsteady(
    factory: ModuleType, runs: dict[str, object], said: str | None
) -> None:
    sharp = put("metrics", AT | {"metric": "entropy_normalized"}, mean=0.01)
    ended = put("inventory", {"model": MODEL, "seed": 7}, **runs)
    usual = finding(judged(factory, small(factory), ended), "verdict").flags
    assert "COLLAPSED" not in usual
    flags = finding(judged(factory, small(factory), sharp, ended), "verdict").flags
    assert (flags["COLLAPSED"].sentence if "COLLAPSED" in flags else None) == said
    if said is not None:
        assert f"run.{MODEL}.7" in flags["COLLAPSED"].evidence


@pytest.mark.parametrize(
    ("checkpoint", "seeds", "raised"),
    [("best", None, True), ("untrained", None, False), ("best", (1, 2), False)],
)
def test_likeness_that_chance_would_give_raises_a_flag(
    factory: ModuleType, checkpoint: str, seeds: tuple[int, ...] | None, raised: bool
) -> None:
    plan = small(factory) if seeds is None else small(factory, seeds=seeds)
    where = {"model": MODEL, "checkpoint": checkpoint, "level": "model"}
    chance = put("similarity", where | {"measure": "centred_cosine"}, above_null=False)
    flags = finding(judged(factory, plan, chance), "verdict").flags
    assert ("UNSTABLE-PATTERN" in flags) == raised
