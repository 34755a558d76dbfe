"""Every answer is reachable, rests on rows that exist, and falls with them."""

import subprocess
import sys
from types import ModuleType

import polars as pl
import pytest
from tests.diagnosis.edits import Edit, Tables, drop, interval, put, the

from attnpipe.diagnosis.registry import PREDICATES
from attnpipe.diagnosis.run import diagnose, diagnosis_context
from attnpipe.diagnosis.schema import Diagnosis, Evidence, Finding

MODEL = "lstm_small_simple"
DECISIVE = ("YES", "NO", "HARM")


def likeness(value: float, half: float) -> dict[str, float]:
    return {"value": value, "lo95": value - half, "hi95": value + half}


AT = {"model": MODEL, "checkpoint": "best"}
KL = AT | {"metric": "kl_uniform"}
ROWS = AT | {"metric": "entropy_normalized"}
CENTRED = AT | {"level": "model", "measure": "centred_cosine"}
COSINE = AT | {"level": "model", "measure": "profile_cosine"}
SKILL = {"model": MODEL, "level": "skill"}
EFFECT = {"model": MODEL, "level": "model", "metric": "skill_units"}
RUN = {"model": MODEL, "seed": 42}
BARE = {"causal": False}
UNKNOWABLE = {"unknowable": frozenset({MODEL})}
SEVERAL = put("similarity", CENTRED, head=1)
"""A layer has several heads, so that they are matched."""

CASES: list[tuple[str, str, dict[str, object], list[Edit]]] = [
    ("runs", "YES", {}, []),
    ("runs", "NO", {"diverged": frozenset({(MODEL, 42)})}, []),
    ("runs", "INCONCLUSIVE", {}, [drop("inventory", **RUN)]),
    ("seeds", "YES", {}, []),
    ("seeds", "NO", {"seeds": (1, 2, 3, 4)}, []),
    ("seeds", "NO", {"identical": frozenset({(MODEL, 42)})}, []),
    ("seeds", "INCONCLUSIVE", {}, [drop("inventory", **RUN)]),
    ("skill", "YES", {}, []),
    ("skill", "NO", {}, [put("comparisons", SKILL, **likeness(-0.2, 0.1))]),
    ("skill", "INCONCLUSIVE", {}, [put("comparisons", SKILL, **likeness(0.05, 0.1))]),
    ("skill", "INCONCLUSIVE", {"seeds": (1, 2, 3, 4)}, [
        put("comparisons", SKILL, **likeness(0.2, 0.1)),
    ]),
    ("skill", "YES", {"seeds": (1, 2, 3)}, [put("comparisons", SKILL, **likeness(0.4, 0.1))]),
    ("skill", "DESCRIPTIVE", {"seeds": (1, 2)}, []),
    ("skill", "INCONCLUSIVE", {"trained": False}, []),
    ("training", "YES", {}, []),
    ("training", "NO", {"short": frozenset({MODEL})}, []),
    ("training", "INCONCLUSIVE", {}, [put("inventory", RUN, best_epoch=None)]),
    ("duplicates", "YES", {}, []),
    ("duplicates", "NO", {"identical": frozenset({(MODEL, 42)})}, []),
    ("duplicates", "INCONCLUSIVE", {}, [drop("inventory", **RUN)]),
    ("duplicates", "INCONCLUSIVE", {"seeds": (42,)}, []),
    ("duplicates", "INCONCLUSIVE", {
        "seeds": (7, 42), "diverged": frozenset({(MODEL, 42)}),
    }, []),
    ("final_weights", "YES", {}, []),
    ("final_weights", "NO", {"last_epoch_final": frozenset({7})}, []),
    ("final_weights", "INCONCLUSIVE", {"absent": frozenset({MODEL})}, []),
    ("extraction", "YES", {}, []),
    ("extraction", "YES", {"excluded": 10}, []),
    ("extraction", "NO", {"excluded": 100}, []),
    ("extraction", "NO", {"leaks": 1.0}, []),
    ("extraction", "INCONCLUSIVE", {}, [put("inventory", RUN, rows_valid=None)]),
    ("gain", "YES", {}, []),
    ("gain", "DESCRIPTIVE", {"seeds": (1, 2)}, []),
    ("gain", "INCONCLUSIVE", {"trained": False}, []),
    ("gain", "INCONCLUSIVE", {"plain": ()}, []),
    ("gain", "INCONCLUSIVE", {}, [put("comparisons", SKILL, **likeness(0.05, 0.1))]),
    ("heterogeneity", "YES", {}, []),
    ("heterogeneity", "NO", {}, [
        put("comparisons", RUN | {"level": "seed", "metric": "loss"}, value=9.0),
    ]),
    ("heterogeneity", "DESCRIPTIVE", {"seeds": (1, 2)}, []),
    ("heterogeneity", "INCONCLUSIVE", {}, [
        drop("comparisons", **RUN, level="seed", metric="loss"),
    ]),
    ("sharpness", "YES", {}, []),
    ("sharpness", "NO", {}, [put("metrics", KL, **interval(0.02, 0.01))]),
    ("sharpness", "INCONCLUSIVE", {}, [put("metrics", KL, **interval(0.06, 0.02))]),
    ("sharpness", "INCONCLUSIVE", {}, [
        put("metrics", KL | {"checkpoint": "untrained"}, **interval(2.0, 0.1)),
    ]),
    ("sharpness", "INCONCLUSIVE", UNKNOWABLE, []),
    ("sharpness", "DESCRIPTIVE", {"seeds": (1, 2)}, []),
    ("focus", "DESCRIPTIVE", {}, []),
    ("focus", "INCONCLUSIVE", UNKNOWABLE, []),
    ("published_entropy", "NO", {}, []),
    ("published_entropy", "YES", {}, [put("metrics", ROWS, mean=0.9)]),
    ("published_entropy", "INCONCLUSIVE", UNKNOWABLE, []),
    ("published_entropy", "DESCRIPTIVE", {"seeds": (1,)}, []),
    ("published_numbers", "NO", {}, []),
    ("published_numbers", "YES", {}, [
        put("metrics", KL, **interval(0.49, 0.2)),
        put("metrics", AT | {"metric": "profile_kl_uniform"}, **interval(0.5, 0.2)),
    ]),
    ("published_numbers", "INCONCLUSIVE", {}, [
        put("metrics", KL, **interval(0.4, 0.2)),
        put("metrics", AT | {"metric": "profile_kl_uniform"}, **interval(0.5, 0.2)),
    ]),
    ("published_numbers", "INCONCLUSIVE", UNKNOWABLE, []),
    ("published_numbers", "DESCRIPTIVE", {"seeds": (1,)}, []),
    ("stability", "YES", {}, []),
    ("stability", "NO", {}, [put("similarity", CENTRED, **likeness(0.2, 0.1))]),
    ("stability", "INCONCLUSIVE", {}, [put("similarity", CENTRED, **likeness(0.6, 0.2))]),
    ("stability", "INCONCLUSIVE", {}, [
        put("similarity", CENTRED | {"checkpoint": "untrained"}, **likeness(0.99, 0.01)),
        put("similarity", CENTRED, **likeness(0.9, 0.05)),
    ]),
    ("stability", "INCONCLUSIVE", {}, [put("similarity", CENTRED, above_null=False)]),
    ("stability", "DESCRIPTIVE", {"seeds": (1, 2)}, []),
    ("stability", "INCONCLUSIVE", UNKNOWABLE, []),
    ("published_stability", "INCONCLUSIVE", {}, []),
    ("published_stability", "NO", {}, [
        put("similarity", COSINE, **likeness(0.5, 0.1)),
        put("similarity", COSINE | {"checkpoint": "untrained"}, **likeness(0.8, 0.1)),
    ]),
    ("published_stability", "YES", {}, [
        put("similarity", COSINE | {"checkpoint": "untrained"}, **likeness(0.5, 0.1)),
    ]),
    ("published_stability", "DESCRIPTIVE", {"seeds": (1, 2)}, []),
    ("published_stability", "INCONCLUSIVE", {"seeds": (1,)}, []),
    ("convergence", "YES", {}, []),
    ("convergence", "NO", {"censored": True}, []),
    ("convergence", "INCONCLUSIVE", {}, [drop("convergence", **RUN)]),
    ("used", "YES", {}, []),
    ("used", "NO", {}, [put("effects", EFFECT, **likeness(0.0, 0.01))]),
    ("used", "INCONCLUSIVE", BARE, []),
    ("used", "INCONCLUSIVE", {}, [put("effects", EFFECT | {"code": "E2"}, **likeness(0.02, 0.01))]),
    ("induction", "YES", {"tokens": True}, []),
    ("induction", "NO", {"tokens": True, "induction": 0.1}, []),
    ("induction", "DESCRIPTIVE", {"tokens": True, "seeds": (7, 42)}, []),
    ("induction", "INCONCLUSIVE", {"tokens": True}, [
        put("metrics", AT | {"metric": "induction_best_head"}, **interval(0.5, 0.2)),
    ]),
    ("compression", "YES", {"tokens": True}, []),
    ("compression", "NO", {"tokens": True, "shortened": 0.3}, []),
    ("compression", "INCONCLUSIVE", {"tokens": True, "confirmed": False}, []),
    ("compression", "INCONCLUSIVE", {"tokens": True, "shortened": 0.022}, []),
    ("compression", "INCONCLUSIVE", {"tokens": True}, [
        put("compression", {"model": MODEL}, value=None, within=False, chosen=False),
    ]),
    ("compression", "DESCRIPTIVE", {"tokens": True, "seeds": (7, 42)}, []),
    ("compression", "INCONCLUSIVE", {}, []),  # models on windows: on request
    ("single_heads", "YES", {"heads": 4}, [SEVERAL]),
    ("single_heads", "INCONCLUSIVE", {"heads": 4}, [
        SEVERAL, put("effects", {"model": MODEL, "name": "single_head"}, p_bh=0.3),
    ]),
    ("single_heads", "INCONCLUSIVE", {"heads": 4}, [
        SEVERAL, drop("effects", model=MODEL, code="E1"),
    ]),
    ("single_heads", "INCONCLUSIVE", {"heads": 4}, [
        SEVERAL, drop("effects", model=MODEL, name="single_head", head=2),
    ]),
    ("single_heads", "INCONCLUSIVE", {"heads": 4}, [
        SEVERAL, drop("similarity", **AT, level="layer", measure="matched_cosine"),
    ]),
    ("single_heads", "DESCRIPTIVE", {"heads": 4, "seeds": (7, 42)}, [SEVERAL]),
    ("stability", "INCONCLUSIVE", {"tokens": True, "heads": 4}, [
        put("similarity", CENTRED, head=1), put("similarity", AT | {"level": "layer"},
                                                above_null=False),
    ]),
    ("content", "YES", {}, []),
    ("content", "INCONCLUSIVE", BARE, []),
    ("content", "INCONCLUSIVE", {}, [
        put("effects", EFFECT | {"code": "E4"}, **likeness(0.0, 0.01)),
    ]),
    ("benefit", "YES", {}, []),
    ("benefit", "HARM", {}, [put("effects", EFFECT | {"code": "R0"}, **likeness(-0.1, 0.01))]),
    ("benefit", "INCONCLUSIVE", BARE, []),
    ("benefit", "NO", {}, [
        put("effects", EFFECT | {"kind": "arm"}, **likeness(0.0, 0.01), lo90=-0.008, hi90=0.008),
    ]),
    ("verdict", "YES", {}, []),
    ("verdict", "INCONCLUSIVE", BARE, []),
    ("verdict", "INVALID", {"leaks": 1.0}, []),
    ("answer", "DESCRIPTIVE", {}, []),
    ("answer", "INCONCLUSIVE", {"seeds": (1, 2)}, []),
    ("answer", "INCONCLUSIVE", {"attention": ()}, []),
    ("gaps", "YES", {}, []),
    ("gaps", "NO", {"diverged": frozenset({(MODEL, 42)})}, []),
    ("gaps", "INCONCLUSIVE", {}, [drop("inventory", **RUN)]),
]  # fmt: skip


def judged(factory: ModuleType, plan: object, *edits: Edit) -> Diagnosis:
    tables = factory.study(plan)
    for edit in edits:
        tables = edit(tables)
    return diagnose(tables, factory.diagnosis_context(plan))


def finding(diagnosis: Diagnosis, predicate: str, model: str = MODEL) -> Finding:
    name = "study" if PREDICATES[predicate].scope == "study" else model
    (found,) = [f for f in diagnosis.findings if f.id == f"{predicate}.{name}"]
    return found


def small(factory: ModuleType, **options: object) -> object:
    return factory.Plan(**{"window": 20, "epochs": 6} | options)


@pytest.mark.parametrize(
    ("predicate", "status", "options", "edits"),
    CASES,
    ids=[f"{p}-{s}-{k}" for k, (p, s, _, _) in enumerate(CASES)],
)
def test_answer(
    factory: ModuleType,
    predicate: str,
    status: str,
    options: dict[str, object],
    edits: list[Edit],
) -> None:
    found = finding(judged(factory, small(factory, **options), *edits), predicate)
    assert found.status == status, found.sentence
    assert found.sentence
    if status == "INCONCLUSIVE":
        assert found.missing


def test_every_predicate_and_every_answer_it_can_give_is_in_the_table() -> None:
    assert {p for p, *_ in CASES} == set(PREDICATES)
    for predicate in PREDICATES:
        answers = {s for p, s, *_ in CASES if p == predicate}
        assert len(answers) >= 2, predicate


@pytest.mark.parametrize(
    ("model", "status", "sensitivity"),
    [
        ("lstm_small_simple", "YES", {"0.01": "YES", "0.02": "YES", "0.05": "YES"}),
        ("lstm_medium_simple", "NO", {"0.01": "INCONCLUSIVE", "0.02": "NO", "0.05": "NO"}),
        ("lstm_medium_additive", "HARM", {"0.01": "HARM", "0.02": "HARM", "0.05": "HARM"}),
        ("lstm_medium_scaled_dot", "INCONCLUSIVE", {
            "0.01": "INCONCLUSIVE", "0.02": "INCONCLUSIVE", "0.05": "NO",
        }),
    ],
)  # fmt: skip
def test_gain_is_judged_at_delta_and_at_one_two_and_five_percent(
    factory: ModuleType, model: str, status: str, sensitivity: dict[str, str]
) -> None:
    found = finding(judged(factory, small(factory)), "gain", model)
    assert found.status == status
    assert found.sensitivity == sensitivity
    assert found.effect == pytest.approx(factory.GAINS.get(model, 0.015))
    assert (found.n_seeds, found.n_units) == (5, 40)


def rows_of(tables: Tables, evidence: Evidence) -> pl.DataFrame:
    name = evidence.table.removesuffix(".csv")
    return tables[name].filter(the(**evidence.row))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"heads": 3},
        {"seeds": (7,)},
        {"unknowable": frozenset({MODEL}), "trained": False},
        {"last_epoch_final": frozenset({7}), "identical": frozenset({(MODEL, 94)})},
    ],
)
def test_every_cited_evidence_is_exactly_one_row_with_that_number(
    factory: ModuleType, options: dict[str, object]
) -> None:
    plan = small(factory, **options)
    tables, diagnosis = factory.study(plan), judged(factory, plan)
    by_id = {e.id: e for e in diagnosis.evidence}
    assert {i for f in diagnosis.findings for i in f.evidence} == set(by_id)
    assert list(by_id) == sorted(by_id)
    columns = {"metrics.csv": "mean", "convergence.csv": "convergence_epoch"}
    for evidence in diagnosis.evidence:
        rows = rows_of(tables, evidence)
        assert rows.height == 1, evidence
        if evidence.table != "inventory.csv":
            assert rows[columns.get(evidence.table, "value")][0] == evidence.estimate


@pytest.mark.parametrize("options", [{}, {"diverged": frozenset({(MODEL, 42)})}, {"heads": 2}])
def test_without_any_one_of_its_rows_a_decision_becomes_inconclusive(
    factory: ModuleType, options: dict[str, object]
) -> None:
    plan = small(factory, **options)
    tables, context = factory.study(plan), factory.diagnosis_context(plan)
    diagnosis = diagnose(tables, context)
    by_id = {e.id: e for e in diagnosis.evidence}
    decided = [
        f
        for f in diagnosis.findings
        if f.model == MODEL
        and f.status in DECISIVE
        # Not all that a verdict cites decides it: tests/diagnosis/test_verdict.py.
        and f.predicate != "verdict"
    ]
    assert len(decided) >= 12
    cited = {i for f in decided for i in f.evidence}
    for i in sorted(cited):
        evidence = by_id[i]
        name = evidence.table.removesuffix(".csv")
        without = tables | {name: tables[name].filter(~the(**evidence.row))}
        again = {f.id: f for f in diagnose(without, context).findings}
        for f in decided:
            if i in f.evidence:
                if f.predicate == "convergence":
                    continue  # an earlier checkpoint's row stands in; see the next test
                if f.predicate == "benefit" and i.endswith(".R2"):
                    # It is told beside what decides.
                    assert again[f.id].status == f.status
                    assert ".R2" not in "".join(again[f.id].evidence)
                    continue
                assert again[f.id].status == "INCONCLUSIVE", (f.id, i)
                assert again[f.id].missing


def test_a_copy_of_a_run_counts_neither_for_its_loss_nor_for_its_gain(
    factory: ModuleType,
) -> None:
    plan = small(factory, identical=frozenset({(MODEL, 42)}), short=frozenset({MODEL}))
    diagnosis = judged(factory, plan)
    loss, gains = (finding(diagnosis, of) for of in ("training", "heterogeneity"))
    assert "in 4 of 4 runs in the last tenth" in loss.sentence
    assert gains.sentence.endswith("better for seeds 7, 94, 123, 231.")
    assert (loss.n_seeds, gains.n_seeds) == (4, 4)
    assert not [i for i in (*loss.evidence, *gains.evidence) if ".42" in i]


def test_convergence_needs_the_trajectory_of_every_run(factory: ModuleType) -> None:
    plan = small(factory)
    for seed in plan.seeds:
        found = finding(
            judged(factory, plan, drop("convergence", model=MODEL, seed=seed)), "convergence"
        )
        assert found.status == "INCONCLUSIVE"
        assert found.missing == [f"divergences between checkpoints of seed {seed}"]


def test_causal_questions_name_the_interventions_and_arms_that_are_missing(
    factory: ModuleType,
) -> None:
    diagnosis = judged(factory, small(factory, causal=False))
    names = {
        p: sorted(m.partition(":")[0] for m in finding(diagnosis, p).missing)
        for p in ("used", "content", "benefit", "verdict")
    }
    assert names == {
        "used": ["E1", "E2"],
        "content": ["E3", "E4"],
        "benefit": ["R0", "R1"],
        "verdict": ["E1", "E2", "E3", "E4", "R0", "R1", "R2"],
    }


def test_every_finding_names_its_evidence(factory: ModuleType) -> None:
    diagnosis = judged(factory, small(factory))
    ids = {evidence.id for evidence in diagnosis.evidence}
    for found in diagnosis.findings:
        assert found.evidence, found.id
        assert set(found.evidence) <= ids
    judgement = finding(diagnosis, "verdict")
    assert {f"causal.{MODEL}.{c}" for c in factory.CODES} <= set(judgement.evidence)
    assert judgement.effect == pytest.approx(0.08)  # R1 comes closer to the model than R0


def test_every_finding_carries_an_effect_but_where_nothing_was_measured(
    factory: ModuleType,
) -> None:
    diagnosis = judged(factory, small(factory))
    for found in diagnosis.findings:
        sized = found.effect is not None or found.effect_range is not None
        assert sized == (found.predicate != "compression"), found.id
        if sized and found.model is not None:
            assert found.n_seeds == 5, found.id
    counted = {"seeds", "duplicates", "final_weights", "extraction", "answer", "gaps"}
    without = {f.predicate for f in diagnosis.findings if f.lo95 is None}
    assert without == counted | {"compression"}


@pytest.mark.parametrize(
    ("predicate", "options", "effect", "interval"),
    [
        # Wilson's interval by hand: (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)
        ("runs", {"diverged": frozenset({(MODEL, 42)})}, 0.8, (0.3755, 0.9638)),
        ("convergence", {}, 1.0, (0.5655, 1.0)),
        ("convergence", {"censored": True}, 0.0, (0.0, 0.4345)),
        ("heterogeneity", {}, 1.0, (0.5655, 1.0)),
        ("seeds", {"diverged": frozenset({(MODEL, 42)})}, 4.0, None),
        ("duplicates", {"identical": frozenset({(MODEL, 42)})}, 1.0, None),
        ("final_weights", {"last_epoch_final": frozenset({7})}, 2.0, None),
        ("extraction", {"excluded": 0}, 1.0, None),
    ],
)
def test_what_is_counted_has_a_size(
    factory: ModuleType,
    predicate: str,
    options: dict[str, object],
    effect: float,
    interval: tuple[float, float] | None,
) -> None:
    found = finding(judged(factory, small(factory, **options)), predicate)
    assert found.effect == pytest.approx(effect)
    if interval is None:
        assert (found.lo95, found.hi95) == (None, None)
    else:
        assert (found.lo95, found.hi95) == pytest.approx(interval, abs=5e-5)


def test_several_heads_give_a_range_and_no_head_stands_for_the_model(factory: ModuleType) -> None:
    found = finding(judged(factory, small(factory, heads=3)), "sharpness")
    divergences = [
        e.estimate
        for e in judged(factory, small(factory, heads=3)).evidence
        if e.facts.get("of") == f"metric.{MODEL}.kl_uniform"
    ]
    assert len(divergences) == 3
    assert (found.effect, found.lo95, found.hi95) == (None, None, None)
    assert found.effect_range == (min(divergences), max(divergences))
    assert finding(judged(factory, small(factory)), "sharpness").effect_range is None


def test_published_words_are_quoted_and_never_an_answer(factory: ModuleType) -> None:
    diagnosis = judged(factory, small(factory))
    found = finding(diagnosis, "published_entropy", "lstm_medium_simple")
    assert (found.as_published, found.status) == ("nahezu uniform", "NO")
    assert "never below the mean entropy" in found.sentence
    words = {"nahezu uniform", "schwach fokussiert", "fokussiert", "stabil", "instabil"}
    for f in diagnosis.findings:
        if f.predicate not in ("published_entropy", "published_stability"):
            assert f.as_published is None
            assert not any(word in f.sentence for word in words)


def test_several_heads_are_all_cited(factory: ModuleType) -> None:
    found = finding(judged(factory, small(factory, heads=3)), "sharpness")
    assert [i for i in found.evidence if ".kl_uniform" in i and "untrained" not in i] == [
        f"metric.{MODEL}.kl_uniform.l0h{h}" for h in range(3)
    ]
    assert "over 3 heads" in found.sentence
    assert "in 3 of 3 heads" in found.sentence


def test_diagnosis_survives_json_and_does_not_depend_on_row_order(factory: ModuleType) -> None:
    plan = small(factory)
    tables, context = factory.study(plan), factory.diagnosis_context(plan)
    diagnosis = diagnose(tables, context)
    shuffled = {k: t.sample(fraction=1.0, shuffle=True, seed=5) for k, t in tables.items()}
    assert diagnose(shuffled, context) == diagnosis
    assert Diagnosis.model_validate_json(diagnosis.model_dump_json()) == diagnosis
    assert diagnosis.schema_version == 1
    assert [f.model for f in diagnosis.findings[:2]] == [None, None]


def test_saved_weights_without_comparisons_are_diagnosed(factory: ModuleType) -> None:
    plan = small(factory, trained=False, plain=())
    tables = {k: t for k, t in factory.study(plan).items() if k != "comparisons"}
    diagnosis = diagnose(tables, factory.diagnosis_context(plan))
    assert finding(diagnosis, "sharpness").status == "YES"
    assert finding(diagnosis, "gain").missing == ["a baseline without attention"]


def test_nan_counts_as_missing(factory: ModuleType) -> None:
    nan = put("comparisons", SKILL, value=float("nan"))
    assert finding(judged(factory, small(factory), nan), "skill").status == "INCONCLUSIVE"


def test_undecided_gain_still_says_on_which_side_it_lies(factory: ModuleType) -> None:
    where = {"model": MODEL, "level": "gain", "metric": "skill_units"}
    for value, word in ((0.03, "better, but"), (-0.03, "worse, but"), (0.0, "neither")):
        cells = likeness(value, 0.025) | {"lo90": value - 0.022, "hi90": value + 0.022}
        found = finding(judged(factory, small(factory), put("comparisons", where, **cells)), "gain")
        assert found.status == "INCONCLUSIVE"
        assert word in found.sentence


def test_an_empty_study_decides_nothing(factory: ModuleType) -> None:
    plan = small(factory)
    diagnosis = diagnose({}, factory.diagnosis_context(plan))
    assert {f.status for f in diagnosis.findings} == {"INCONCLUSIVE"}
    assert diagnosis.evidence == []
    assert all(f.missing for f in diagnosis.findings)


def test_context_is_read_from_a_jobs_config() -> None:
    spec = {"title": "T", "context": {
        "labels": [["b", "B"], ["a", "A"]], "attention_models": ["a"],
        "baselines": {"a": "b", "b": None}, "seeds": [3], "delta": 0.03,
    }}  # fmt: skip
    context = diagnosis_context(spec, {"window": 50})
    assert list(context.labels) == ["b", "a"]
    assert context.margins == (0.01, 0.02, 0.03, 0.05)
    assert (context.window, diagnosis_context(spec, {}).window) == (50, 0)
    assert context.seeds_of("a") == (3,)


def test_a_diagnosis_says_which_config_data_and_software_it_comes_from() -> None:
    spec = {
        "title": "T",
        "context": {
            "labels": [["a", "A"]], "attention_models": ["a"], "baselines": {"a": None},
            "seeds": [3], "delta": 0.02,
        },
        "provenance": {
            "study": "s", "scale": "quick", "config_sha256": "ab", "versions": {"numpy": "2.0"},
        },
    }  # fmt: skip
    source = {"package": "p", "sha256": "cd"}
    found = diagnose({}, diagnosis_context(spec, {"window": 5, "source": source})).provenance
    assert found is not None
    assert found.model_dump() == spec["provenance"] | {"data": {"source": source}}
    files = [{"name": "x.npy", "sha256": "ef"}]
    saved = diagnosis_context(spec, {"source": {"layout": "profiles"}, "files": files})
    assert saved.provenance.data == {"source": {"layout": "profiles"}, "files": files}
    texts = {"kind": "prompts", "questions": 8, "variants": ["plain"], "source": {"seed": 0}}
    assert diagnosis_context(spec, {"texts": texts}).provenance.data == {"source": {"seed": 0}}


def test_saved_weights_have_their_own_seeds_for_each_model() -> None:
    spec = {"title": "T", "context": {
        "labels": {"a": "A", "b": "B", "c": "C"}, "attention_models": ["a", "b", "c"],
        "baselines": {}, "seeds": [1, 2, 3], "delta": 0.02,
    }}  # fmt: skip
    stored = {"a": {"seeds": [1, 2, 3]}, "b": {"seeds": [2, 9]}, "c": {"seeds": []}}
    context = diagnosis_context(spec, {"models": stored})
    assert context.seeds_of("a") == (1, 2, 3)
    assert context.seeds_of("b") == (2,)
    assert context.seeds_of("c") == (1, 2, 3)


def test_diagnosis_imports_neither_matplotlib_nor_scipy_nor_torch() -> None:
    code = (
        "import sys; from attnpipe.diagnosis.run import diagnose; "
        "sys.exit(any(m.split('.')[0] in ('matplotlib', 'scipy', 'torch') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
