"""Every answer about texts is reachable, rests on rows that exist, and falls with them."""

import re
from dataclasses import replace
from types import ModuleType

import polars as pl
import pytest
from tests.diagnosis.edits import Edit, Tables, drop, interval, put, the

from attnpipe.diagnosis.run import diagnose, diagnosis_context
from attnpipe.diagnosis.schema import Diagnosis, Evidence, Finding
from attnpipe.diagnosis.text.registry import PREDICATES
from attnpipe.metrics.tokens.data_sinks import THRESHOLD

MODEL = "tiny_chat"
DECISIVE = ("YES", "NO")
FOUR = {"questions": 4}
TWO = {"questions": 2, "accuracies": {"plain": 1}}
SENTENCES = {"kind": "sentences"}


MASS = "mass_sinks_removed"
STEPS = {"family": "steps", "span": "shared", "measure": MASS, "layer": None}
OFF = "mass_relative_sinks_removed"
AT_LAST = {"rows": "last", "condition": None, "layer": None}
ENTROPY = {"metric": "entropy_normalized"} | AT_LAST
SINK = {"metric": "sink_mass", "checkpoint": "pretrained"} | AT_LAST
VERSUS = {"family": "sensitivity", "measure": "distance_vs_others_sinks_removed"}
EXCESS = {"family": "sensitivity", "measure": "distance_excess_sinks_removed"}
PUBLISHED = {"measure": "as_published"}
MASS_OF_WORDS = {"measure": "mass", "layer": 3}

CASES: list[tuple[str, str, dict[str, object], list[Edit]]] = [
    ("runs", "YES", {}, []),
    ("runs", "NO", {"ended": False}, []),
    ("runs", "INCONCLUSIVE", {}, [drop("inventory", model=MODEL)]),
    ("capture", "YES", {}, []),
    ("capture", "YES", {"rows_excluded": 10, "reasons": {"sum": 0.1}}, []),
    ("capture", "NO", {"rows_excluded": 200, "reasons": {"sum": 2.0}}, []),
    ("capture", "NO", {"rows_excluded": 1, "reasons": {"off_support": 0.01}}, []),
    ("capture", "INCONCLUSIVE", {}, [put("inventory", {"model": MODEL}, rows_valid=None)]),
    ("capture", "INCONCLUSIVE", {}, [drop("inventory", model=MODEL)]),
    ("steps", "YES", {}, []),
    ("steps", "YES", {"steps": (0.05, 0.01)}, []),
    ("steps", "NO", {"steps": (0.001, 0.005)}, []),
    ("steps", "NO", {"steps": (-0.006, 0.003)}, []),
    ("steps", "INCONCLUSIVE", {"steps": (-0.012, 0.01)}, []),
    ("steps", "INCONCLUSIVE", {"steps": (0.0, 0.02)}, []),
    ("steps", "INCONCLUSIVE", {}, [put("text_contrasts", STEPS, p_holm=0.06)]),
    ("steps", "INCONCLUSIVE", {}, [put("text_contrasts", STEPS, p_holm=None)]),
    ("steps", "INCONCLUSIVE", {}, [drop("text_contrasts", **STEPS)]),
    ("steps", "DESCRIPTIVE", TWO, []),
    ("examples", "YES", {}, []),
    ("examples", "NO", {"draw": (-0.5, 0.1)}, []),
    ("examples", "NO", {}, [
        put("text_contrasts", {"family": "examples", "b": "examples_questions", "measure": OFF},
            **interval(-0.4, 0.1)),
    ]),
    ("examples", "INCONCLUSIVE", {"draw": (0.1, 0.2)}, []),
    ("examples", "INCONCLUSIVE", {"variants": ("plain", "cot")}, []),
    ("examples", "INCONCLUSIVE", {}, [
        drop("text_contrasts", family="examples", a="2_shot", b="examples_questions", measure=OFF,
             layer=None),
    ]),
    ("examples", "DESCRIPTIVE", {}, [
        put("text_contrasts", {"family": "examples", "a": "1_shot", "measure": OFF},
            **interval(-0.4, 0.1)),
    ]),
    ("examples", "DESCRIPTIVE", TWO, []),
    ("shots", "YES", {}, []),
    ("shots", "NO", {"shots": (0.001, 0.004)}, []),
    ("shots", "INCONCLUSIVE", {"shots": (0.012, 0.01)}, []),
    ("shots", "INCONCLUSIVE", {"variants": ("plain", "1_shot")}, []),
    ("shots", "DESCRIPTIVE", TWO, []),
    ("sensitive_layers", "YES", {}, []),
    ("sensitive_layers", "INCONCLUSIVE", {"sensitive": frozenset()}, []),
    ("sensitive_layers", "INCONCLUSIVE", {}, [put("text_contrasts", VERSUS, p_bh=0.06)]),
    ("sensitive_layers", "INCONCLUSIVE", {}, [put("text_contrasts", EXCESS, p_bh=0.06)]),
    ("sensitive_layers", "INCONCLUSIVE", {}, [
        put("text_contrasts", EXCESS, mean=-0.002, lo95=-0.003, hi95=-0.001),
    ]),
    ("sensitive_layers", "INCONCLUSIVE", FOUR, []),
    ("sensitive_layers", "INCONCLUSIVE", {}, [drop("text_contrasts", **VERSUS)]),
    ("sensitive_layers", "DESCRIPTIVE", TWO, []),
    ("answers", "DESCRIPTIVE", {}, []),
    ("answers", "INCONCLUSIVE", {"accuracies": {}}, []),
    ("correctness", "YES", {"correct": (0.05, 0.01)}, []),
    ("correctness", "NO", {"accuracies": {"plain": 7, "cot": 25}}, []),
    ("correctness", "INCONCLUSIVE", {}, []),  # plain is outside the range
    ("correctness", "INCONCLUSIVE", {"correct": (0.01, 0.02)}, []),
    ("correctness", "INCONCLUSIVE", {"accuracies": {"plain": 1, "cot": 31}}, []),
    ("correctness", "INCONCLUSIVE", {"accuracies": {"plain": 1, "cot": 16}}, []),
    ("correctness", "YES", {"accuracies": {"plain": 1, "cot": 16}, "correct": (0.05, 0.01)}, []),
    ("correctness", "INCONCLUSIVE", {"accuracies": {}}, []),
    ("correctness", "INCONCLUSIVE", {}, [drop("text_contrasts", family="correct", a="cot: right")]),
    ("correctness", "DESCRIPTIVE", TWO, []),
    ("heads", "DESCRIPTIVE", {}, []),
    ("heads", "DESCRIPTIVE", SENTENCES, []),
    ("heads", "INCONCLUSIVE", {}, [
        drop("heads", model=MODEL), put("text_summary", {"rows": "all"}, mean=None),
    ]),
    ("sinks", "DESCRIPTIVE", {}, []),
    ("sinks", "INCONCLUSIVE", {}, [drop("text_summary", **SINK)]),
    ("untrained", "YES", {}, []),
    ("untrained", "INCONCLUSIVE", {"untrained": False}, []),
    ("untrained", "INCONCLUSIVE", FOUR, []),
    ("untrained", "INCONCLUSIVE", {}, [put("text_summary", ENTROPY, **interval(0.7, 0.1))]),
    ("untrained", "DESCRIPTIVE", TWO, []),
    ("published", "NO", {}, []),
    ("published", "NO", {}, [
        put("text_summary", {"metric": "published_layer_entropy"}, **interval(1.51, 0.01)),
    ]),
    ("published", "YES", {}, [
        put("text_summary", {"metric": "published_layer_entropy"}, **interval(1.51, 0.01)),
        put("segment_summary", PUBLISHED, mean=0.05),
        put("segment_summary", MASS_OF_WORDS, mean=0.055),
    ]),
    ("published", "INCONCLUSIVE", {}, [
        drop("text_summary", metric="published_layer_entropy", variant="cot"),
    ]),
    ("published", "DESCRIPTIVE", TWO, []),
    ("used", "YES", {}, []),
    ("used", "INCONCLUSIVE", {"replaced": {}}, []),
    ("used", "INCONCLUSIVE", SENTENCES, []),
    ("used", "INCONCLUSIVE", {"replaced": {"E2": (0.0, 0.01)}}, []),  # without E1
    ("used", "INCONCLUSIVE", {"replaced": {"E2": (0.05, 0.1)}}, []),
    ("used", "INCONCLUSIVE", {"told": (0.1, 0.2)}, []),
    ("used", "DESCRIPTIVE", TWO, []),
    ("compression", "YES", {}, []),
    ("compression", "NO", {"shortened": {"2_shot": 0.3}}, []),
    ("compression", "INCONCLUSIVE", {"confirmed": False}, []),
    ("compression", "DESCRIPTIVE", {"shortened": {"1_shot": 0.005, "2_shot": 0.3}}, []),
    ("content", "YES", {}, []),
    ("content", "NO", {"replaced": {"E3": (0.0, 0.01), "E4": (0.001, 0.01)}}, []),
    ("content", "INCONCLUSIVE", {"replaced": {"E3": (0.5, 0.1), "E4": (0.0, 0.01)}}, []),
    ("content", "INCONCLUSIVE", {"replaced": {"E3": (0.02, 0.1), "E4": (0.02, 0.1)}}, []),
    ("content", "DESCRIPTIVE", TWO, []),
    ("verdict", "INCONCLUSIVE", {}, []),
    ("verdict", "INCONCLUSIVE", {"replaced": {"E2": (0.005, 0.01), "E3": (0.004, 0.008),
                                              "E4": (0.004, 0.008)}}, []),
    ("verdict", "INVALID", {"reasons": {"off_support": 1.0}}, []),
    ("answer", "DESCRIPTIVE", {}, []),
    ("answer", "DESCRIPTIVE", SENTENCES, []),
    ("answer", "INCONCLUSIVE", TWO, []),
    ("answer", "INCONCLUSIVE", SENTENCES, [
        drop("heads", model=MODEL), put("text_summary", {"rows": "all"}, mean=None),
    ]),
    ("gaps", "YES", {}, []),
    ("gaps", "NO", {"ended": False}, []),
    ("gaps", "INCONCLUSIVE", {}, [drop("inventory", model=MODEL)]),
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
    found = finding(judged(factory, factory.Plan(**options), *edits), predicate)
    assert found.status == status, found.sentence
    assert found.sentence
    if status == "INCONCLUSIVE":
        assert found.missing, found.sentence


def test_every_predicate_and_every_answer_it_can_give_is_in_the_table() -> None:
    assert {p for p, *_ in CASES} == set(PREDICATES)
    for predicate in PREDICATES:
        assert len({s for p, s, *_ in CASES if p == predicate}) >= 2, predicate


@pytest.mark.parametrize("options", [{}, TWO, FOUR, SENTENCES, {"untrained": False}])
def test_every_cited_evidence_is_exactly_one_row_with_that_number(
    factory: ModuleType, options: dict[str, object]
) -> None:
    plan = factory.Plan(**options)
    tables, diagnosis = factory.study(plan), judged(factory, plan)
    by_id = {e.id: e for e in diagnosis.evidence}
    assert {i for f in diagnosis.findings for i in f.evidence} == set(by_id)
    assert list(by_id) == sorted(by_id)
    columns = {
        "accuracy.csv": "accuracy", "heads.csv": "entropy_normalized", "compression.csv": "value",
    }  # fmt: skip
    for evidence in diagnosis.evidence:
        rows = rows_of(tables, evidence)
        assert rows.height == 1, evidence
        if evidence.table != "inventory.csv":
            assert rows[columns.get(evidence.table, "mean")][0] == evidence.estimate
            units = "n_units" if evidence.table == "compression.csv" else "n"
            assert rows[units][0] == evidence.n_units


def rows_of(tables: Tables, evidence: Evidence) -> pl.DataFrame:
    return tables[evidence.table.removesuffix(".csv")].filter(the(**evidence.row))


DECIDE = {
    "runs": r"run\.",
    "capture": r"run\.",
    "steps": r".*\.shared\.mass_(found_)?sinks",
    "examples": r".*_relative_(found_)?sinks_removed",
    "shots": r".*\.examples_answers\.mass_(found_)?sinks",
    "correctness": r"contrast\.",
    "untrained": r"metric\.",
    "published": r"last_layer\.",
}
"""Finding → ids of the evidence that decides; other evidence is told beside it."""


def test_without_any_one_row_that_decides_a_decision_becomes_inconclusive(
    factory: ModuleType,
) -> None:
    inside = {"plain": 10, "1_shot": 16, "2_shot": 20, "cot": 8}  # of 32
    plan = factory.Plan(accuracies=inside)
    tables, context = factory.study(plan), factory.diagnosis_context(plan)
    diagnosis = diagnose(tables, context)
    by_id = {e.id: e for e in diagnosis.evidence}
    for predicate, pattern in DECIDE.items():
        found = finding(diagnosis, predicate)
        assert found.status in DECISIVE
        deciding = [i for i in found.evidence if re.fullmatch(f"{pattern}.*", i)]
        assert deciding
        for i in deciding:
            evidence = by_id[i]
            name = evidence.table.removesuffix(".csv")
            without = tables | {name: tables[name].filter(~the(**evidence.row))}
            again = finding(diagnose(without, context), predicate)
            assert again.status == "INCONCLUSIVE", i
            assert again.missing


def test_an_answer_holds_for_all_its_rows_or_falls(factory: ModuleType) -> None:
    """Where several rows decide together, none of them left decides nothing."""
    for predicate, edit in (
        ("shots", drop("text_contrasts", family="shots")),
        ("correctness", drop("text_contrasts", family="correct")),
        ("sensitive_layers", drop("text_contrasts", family="sensitivity")),
        ("untrained", drop("text_summary", metric="entropy_normalized", checkpoint="untrained")),
        ("published", drop("text_summary", metric="entropy")),
    ):
        found = finding(judged(factory, factory.Plan(), edit), predicate)
        assert found.status == "INCONCLUSIVE", predicate
        assert found.missing


def test_equivalence_rests_on_the_90_percent_interval(factory: ModuleType) -> None:
    """0.004 ± 0.0065 reaches beyond 0.01 at 95 %, but not at 90 %: t(31) is 1.696 and 2.040."""
    inside = factory.Plan(steps=(0.004, 0.0065))
    found = finding(judged(factory, inside), "steps")
    (i,) = [i for i in found.evidence if i.endswith(f".{MASS}")]
    (mass,) = [e for e in judged(factory, inside).evidence if e.id == i]
    assert mass.facts["hi90"] == pytest.approx(0.004 + 0.0065 * 1.6955 / 2.0395, abs=1e-5)
    assert found.status == "NO"
    assert found.sensitivity == {"0.005": "INCONCLUSIVE", "0.01": "NO", "0.02": "NO"}
    wider = finding(judged(factory, factory.Plan(steps=(0.004, 0.008))), "steps")
    assert wider.status == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("steps", "relative", "says"),
    [
        ((-0.05, 0.01), (0.2, 0.1), "that hides a gain"),
        ((-0.05, 0.01), (-0.2, 0.1), "more is lost than the number of tokens explains"),
        ((-0.05, 0.01), (0.0, 0.1), "it is not shown that more is lost"),
        ((0.05, 0.01), (0.2, 0.1), "+0.200 [+0.100, +0.300]. With sinks"),
    ],
)
def test_a_longer_prompt_is_told_from_a_change(
    factory: ModuleType, steps: tuple[float, float], relative: tuple[float, float], says: str
) -> None:
    found = finding(judged(factory, factory.Plan(steps=steps, relative=relative)), "steps")
    assert says in found.sentence
    assert ("less" if steps[0] < 0 else "more") in found.sentence


def test_a_gain_over_uniform_beside_a_loss_of_mass_is_explained_where_both_are_told(
    factory: ModuleType,
) -> None:
    diagnosis = judged(factory, factory.Plan(steps=(-0.24, 0.01), relative=(0.3, 0.01)))
    why = "relative to uniform attention: there are more tokens to attend to, and that hides a gain"
    assert f"; +0.300 {why})" in finding(diagnosis, "answer").sentence
    steps = finding(diagnosis, "steps")
    assert steps.question == "Does “think step by step” change attention to the question’s tokens?"
    assert (
        "gives to the question’s tokens (those that all prompts have and that are a sink in none)"
    ) in steps.sentence


def test_single_layers_are_counted_by_both_corrections(factory: ModuleType) -> None:
    where = {"family": "steps", "span": "shared", "measure": MASS, "layer": 3}
    edit = put("text_contrasts", where, p_bh=0.04, p_by=0.08)
    said = finding(judged(factory, factory.Plan(), edit), "steps").sentence
    assert "2 of 4 differ after Benjamini–Hochberg, 1 after Benjamini–Yekutieli" in said
    assert "exploratory" in said


def test_most_sensitive_layers_are_named_with_distance_and_null(factory: ModuleType) -> None:
    found = finding(judged(factory, factory.Plan()), "sensitive_layers")
    assert found.sentence.startswith(
        "2 of 4 layers lie above the mean of the others, and above different questions: layer 2 ("
    )
    assert "0.340 [0.330, 0.350] between prompts" in found.sentence
    assert "0.200 [0.190, 0.210] between questions" in found.sentence
    assert found.effect == pytest.approx(0.07)
    answer = finding(judged(factory, factory.Plan()), "answer").sentence
    assert "prompts change layers 2, 1 most (2 of 4 stand out)" in answer


def test_a_layer_that_differs_less_between_prompts_than_between_questions_does_not_stand_out(
    factory: ModuleType,
) -> None:
    less = put("text_contrasts", EXCESS | {"layer": 2}, mean=-0.002, lo95=-0.003, hi95=-0.001)
    found = finding(judged(factory, factory.Plan(), less), "sensitive_layers")
    assert found.sentence.startswith("1 of 4 layers lie above the mean of the others, and above")
    assert "layer 2 differs between prompts no more than between questions" in found.sentence
    assert found.effect == pytest.approx(0.06)


def test_a_clear_interval_among_many_tests_needs_enough_questions(factory: ModuleType) -> None:
    """Eight sign flips give p ≥ 2/256; 24 tests by Holm need 1 + log2(24/0.05) = 9.9 of them."""
    edit = put("text_contrasts", STEPS, p=2 / 256, p_holm=24 * 2 / 256)
    found = finding(judged(factory, factory.Plan(questions=8), edit), "steps")
    assert found.status == "INCONCLUSIVE"
    assert "the interval is clear, but not significant among all tests" in found.sentence
    assert found.missing == [
        "at least 10 questions: the interval is clear, p over all tests is not"
    ]


@pytest.mark.parametrize(
    ("available", "overrides", "wider"),
    [
        (196, ["data.questions=10"], []),
        (10, ["data.questions=10"], []),
        (9, [], ["a wider range of operands (data.smallest, data.largest): it holds 9"]),
        (None, [], []),
    ],
)
def test_more_questions_are_an_override_as_far_as_there_are_so_many(
    factory: ModuleType, available: int | None, overrides: list[str], wider: list[str]
) -> None:
    plan = factory.Plan(questions=8)
    edit = put("text_contrasts", STEPS, p=2 / 256, p_holm=24 * 2 / 256)
    texts = replace(factory.diagnosis_context(plan).texts, available=available)
    context = factory.diagnosis_context(plan, texts=texts)
    diagnosis = diagnose(edit(factory.study(plan)), context)
    found = finding(diagnosis, "steps")
    assert (found.next_overrides, found.missing[1:]) == (overrides, wider)
    assert found.missing[0].startswith("at least 10 questions")


def test_questions_without_a_value_are_made_up_for(factory: ModuleType) -> None:
    """Eight of sixteen have a value: for ten of them, twenty must be asked."""
    edit = put("text_contrasts", STEPS, p=2 / 256, p_holm=24 * 2 / 256, n=8)
    plan = factory.Plan(questions=16)
    texts = replace(factory.diagnosis_context(plan).texts, available=196)
    diagnosis = diagnose(edit(factory.study(plan)), factory.diagnosis_context(plan, texts=texts))
    found = finding(diagnosis, "steps")
    assert found.missing[0].startswith("at least 10 questions")
    assert found.missing[1:] == ["only 8 of 16 questions have a value, so that 20 are to be asked"]
    assert found.next_overrides == ["data.questions=20"]


@pytest.mark.parametrize("predicate", ["used", "content", "steps", "sensitive_layers", "answer"])
def test_too_few_questions_are_asked_for_as_many_as_decide(
    factory: ModuleType, predicate: str
) -> None:
    plan = factory.Plan(**TWO)
    texts = replace(factory.diagnosis_context(plan).texts, available=196)
    diagnosis = diagnose(factory.study(plan), factory.diagnosis_context(plan, texts=texts))
    assert finding(diagnosis, predicate).next_overrides == ["data.questions=5"]


def test_correctness_names_the_range_that_accuracy_misses(factory: ModuleType) -> None:
    plan = factory.Plan(accuracies={"plain": 1, "cot": 31})
    found = finding(judged(factory, plan), "correctness")
    assert found.sentence == (
        "Right and wrong answers cannot be compared. Inconclusive outside 20 % to 80 % right: "
        "plain (3 %), cot (97 %)."
    )
    assert found.missing == [
        "an accuracy between 20 % and 80 % in plain, cot (data.smallest, data.largest)"
    ]


@pytest.mark.parametrize("effect", [(0.0, 0.001), (0.05, 0.01)])
def test_variants_that_cannot_be_judged_are_named_beside_those_that_can(
    factory: ModuleType, effect: tuple[float, float]
) -> None:
    plan = factory.Plan(
        accuracies={"plain": 0, "cot": 16, "1_shot": 6}, correct=effect,
        silent={"plain": {"empty": 30, "unfinished": 2}, "cot": {"none": 3}},
    )  # fmt: skip
    found = finding(judged(factory, plan), "correctness")
    assert found.status == ("YES" if effect[0] else "INCONCLUSIVE")
    assert found.sentence.endswith(
        "Inconclusive outside 20 % to 80 % right: plain (0 %, cut off before an answer 2, nothing "
        "written 30), 1_shot (19 %)."
    )
    assert "(cot)" in found.sentence
    assert found.missing == [
        "an accuracy between 20 % and 80 % in plain, 1_shot (data.smallest, data.largest)"
    ]
    assert f"accuracy.{MODEL}.plain" in found.evidence


def test_no_answer_is_told_apart_from_a_wrong_one(factory: ModuleType) -> None:
    plan = factory.Plan(
        accuracies={"plain": 0, "cot": 16},
        silent={"plain": {"empty": 32}, "cot": {"none": 3, "unfinished": 2}},
    )
    found = finding(judged(factory, plan), "answers")
    assert found.sentence.endswith(
        "(Wilson’s intervals). No answer in what was written: cot 3. Cut off before an answer: "
        "cot 2. Nothing written: plain 32."
    )
    assert found.missing[-1] == "longer answers of cot (data.max_new_tokens, of the variant too)"


def test_maxima_over_heads_are_called_selected(factory: ModuleType) -> None:
    found = finding(judged(factory, factory.Plan()), "heads")
    assert "layer 0 head 0 has 0.900 [0.890, 0.910] on the token before in variant plain" in (
        found.sentence
    )
    assert "maxima of many heads, thus selected and too high: exploratory" in found.sentence
    chance = put("text_summary", {"rows": "all", "condition": None}, **interval(0.05, 0.01))
    none = finding(judged(factory, factory.Plan(), chance), "heads").sentence
    assert "No head of a known kind lies above chance." in none
    assert "maxima" not in none


def test_few_heads_are_evidence_however_many_there_are(factory: ModuleType) -> None:
    diagnosis = judged(factory, factory.Plan(layers=20, heads=12))
    heads = [e for e in diagnosis.evidence if e.table == "heads.csv"]
    assert len(heads) == 10
    ranks = sorted(int(str(e.facts["focused_rank"])) for e in heads)
    assert ranks == [1, 2, 3, 4, 5, 236, 237, 238, 239, 240]


def test_published_numbers_are_explained_where_they_differ(factory: ModuleType) -> None:
    said = finding(judged(factory, factory.Plan()), "published").sentence
    assert "never below the mean entropy" in said
    assert "‘{second}’ in 1_shot: 0.000" in said
    assert "where a number is split into digits" in said
    assert "‘step’ in cot" in said
    assert "as a substring it is found 2 times, not 1" in said
    alike = put("text_summary", {"metric": "published_layer_entropy"}, **interval(1.5, 0.01))
    assert (
        "never below" not in finding(judged(factory, factory.Plan(), alike), "published").sentence
    )


@pytest.mark.parametrize(("more", "status"), [(0.13, "NO"), (0.03, "YES")])
def test_overlapping_intervals_do_not_make_entropies_equal(
    factory: ModuleType, more: float, status: str
) -> None:
    edits = [
        put("text_summary", {"metric": "entropy"}, **interval(2.3, 0.1)),
        put("text_summary", {"metric": "published_layer_entropy"}, **interval(2.3 + more, 0.1)),
    ]
    plan = factory.Plan(kind="sentences")
    assert finding(judged(factory, plan, *edits), "published").status == status


PLUS_IN_PLAIN = {"span": "keyword: plus", "variant": "plain"}
ALIKE, SPLIT = "tokens that read alike are counted once", "where a number is split into digits"
MEAN = "in a text, on average"


@pytest.mark.parametrize(
    ("real", "tokens", "entries", "told"),
    [
        (3.0, 3.0, 1.0, f"; {ALIKE}: 1 {MEAN}, instead of 3."),
        (1.0, 0.53125, 0.53125, f"; of 1 place {MEAN}, only 0.531 are held by one token: it "
         f"is not found where it is split, as {SPLIT}."),
        (2.0, 1.5, 0.5, f"; of 2 places {MEAN}, only 1.5 are held by one token: it is not found "
         f"where it is split, as {SPLIT}; {ALIKE}: 0.5 {MEAN}, instead of 1.5."),
        (2.0, 0.0, 0.0, f"; no token holds all of it, as {SPLIT}."),
        (2.0, 2.5, 1.5, f"; {ALIKE}: 1.5 {MEAN}, instead of 2.5."),
        (1.0, 3.0, 2.0, "; as a substring it is found 2 times, not 1."),
        (1.0, 1.0, 1.0, "; it counts other tokens."),
    ],
)  # fmt: skip
def test_the_reason_is_the_one_that_matches_and_tokens_show(
    factory: ModuleType, real: float, tokens: float, entries: float, told: str
) -> None:
    edits = [
        put("segment_summary", PLUS_IN_PLAIN | {"measure": "mass"}, n_matches=real, mean=0.5),
        put("segment_summary", PLUS_IN_PLAIN | PUBLISHED, n_matches=entries, n_tokens=tokens),
    ]
    said = finding(judged(factory, factory.Plan(), *edits), "published").sentence
    assert f"‘plus’ in plain: 0.060 [0.059, 0.061] instead of 0.500 [0.019, 0.021]{told}" in said


def test_causal_questions_name_the_interventions_that_are_missing(factory: ModuleType) -> None:
    diagnosis = judged(factory, factory.Plan(replaced={}))
    names = {
        p: [m.partition(":")[0] for m in finding(diagnosis, p).missing] for p in ("used", "verdict")
    }
    assert names == {"used": ["E2"], "verdict": ["E2", "E3", "E4"]}  # no E1 of language models
    lines = [m for p in names for m in finding(diagnosis, p).missing]
    assert lines[0] == (
        "E2: what answers lose with equal weights (uniform in analysis.text.answers.interventions)"
    )
    assert all(line[-1] not in ".?!" for line in lines)  # the report ends them
    sentences = judged(factory, factory.Plan(kind="sentences"))
    assert finding(sentences, "used").missing == [
        "E2: what answers lose with equal weights, asked in prompts"
    ]


def test_sentences_are_not_asked_about_prompts(factory: ModuleType) -> None:
    diagnosis = judged(factory, factory.Plan(kind="sentences"))
    asked = {f.predicate for f in diagnosis.findings}
    about_prompts = {
        "steps", "examples", "shots", "sensitive_layers", "answers", "correctness", "content",
        "compression",
    }  # fmt: skip
    assert not asked & about_prompts
    assert asked == set(PREDICATES) - about_prompts
    assert finding(diagnosis, "answer").sentence == (
        "The best heads of each kind, by their attention — tiny chat: layer 0 head 0 on the token "
        "before (0.900); layer 1 head 1 on the token after (0.800); layer 2 head 2 on earlier "
        "copies of the token (0.700); layer 3 head 0 on what followed earlier copies of the token "
        "(0.600)."
    )


@pytest.mark.parametrize("variants", [("plain", "1_shot", "2_shot"), ("cot", "1_shot", "2_shot")])
def test_thinking_step_by_step_is_not_asked_about_where_it_is_not_compared(
    factory: ModuleType, variants: tuple[str, ...]
) -> None:
    diagnosis = judged(factory, factory.Plan(variants=variants))
    assert "steps" not in {f.predicate for f in diagnosis.findings}
    assert "step by step" not in finding(diagnosis, "answer").sentence
    assert not [line for f in diagnosis.findings for line in f.missing if "cot and plain" in line]


def test_models_are_told_apart(factory: ModuleType) -> None:
    plan = factory.Plan(models=(MODEL, "tiny_chat_2"), labels={"tiny_chat_2": "Second"})
    where = {"model": "tiny_chat_2", "family": "steps"}
    diagnosis = judged(factory, plan, put("text_contrasts", where, **interval(0.0, 0.002)))
    assert finding(diagnosis, "steps").status == "YES"
    assert finding(diagnosis, "steps", "tiny_chat_2").status == "NO"
    said = finding(diagnosis, "answer").sentence
    assert said.index("tiny chat: ") < said.index("Second: ")
    assert "makes no practical difference" in said[said.index("Second: ") :]


def test_undecided_questions_are_named_in_the_answer(factory: ModuleType) -> None:
    plan = factory.Plan(steps=(0.0, 0.02), draw=(0.0, 0.5), sensitive=frozenset())
    found = finding(judged(factory, plan), "answer")
    assert found.status == "INCONCLUSIVE"
    for words in ("whether “think step by step”", "whether examples draw", "which layers"):
        assert words in found.sentence
    assert any("questions" in line for line in found.missing)


def test_too_few_questions_are_not_taken_for_disagreement(factory: ModuleType) -> None:
    said = finding(judged(factory, factory.Plan(**TWO)), "answer").sentence
    assert "whether examples draw attention to their answers" in said
    assert "depends on their number" not in said
    where = {"family": "examples", "a": "1_shot", "measure": OFF}
    mixed = judged(factory, factory.Plan(), put("text_contrasts", where, **interval(-0.4, 0.1)))
    assert "depends on their number" in finding(mixed, "answer").sentence
    said = finding(mixed, "examples").sentence
    assert "it depends on their number; alone shown in 2_shot, refuted in 1_shot" in said


def test_examples_are_answered_by_one_number_with_its_interval(factory: ModuleType) -> None:
    found = finding(judged(factory, factory.Plan()), "examples")
    assert (found.effect, found.lo95, found.hi95) == pytest.approx((0.8, 0.6, 1.0))
    assert (found.effect_range, found.n_units) == (None, 32)
    assert "+0.800 [+0.600, +1.000]" in found.sentence
    assert "(32 questions, mean over 1_shot, 2_shot): they draw attention in every variant" in (
        found.sentence
    )
    for variant in ("1_shot", "2_shot"):
        told = f"{variant} +0.800 [+0.600, +1.000] and +0.800 [+0.600, +1.000]"
        assert told in found.sentence.partition("By variant, exploratory: ")[2]


def test_what_is_declared_decides_where_single_numbers_of_examples_are_open(
    factory: ModuleType,
) -> None:
    where = {"family": "examples", "a": "1_shot", "measure": OFF}
    half = judged(factory, factory.Plan(), put("text_contrasts", where, **interval(0.1, 0.4)))
    found = finding(half, "examples")
    assert found.status == "YES"
    assert "they draw attention; alone shown in 2_shot, not settled in 1 of 2" in found.sentence
    where = {"family": "examples", "a": "with examples", "measure": OFF}
    whole = judged(factory, factory.Plan(), put("text_contrasts", where, **interval(0.1, 0.4)))
    found = finding(whole, "examples")
    assert found.status == "INCONCLUSIVE"
    assert "not settled; alone shown in 1_shot, 2_shot" in found.sentence
    assert found.missing


def test_a_single_number_of_examples_is_its_own_answer(factory: ModuleType) -> None:
    found = finding(judged(factory, factory.Plan(variants=("plain", "1_shot"))), "examples")
    assert (found.effect, found.lo95, found.hi95) == pytest.approx((0.8, 0.6, 1.0))
    assert "(32 questions): they draw attention." in found.sentence
    assert "By variant" not in found.sentence


def test_the_three_questions_have_effect_interval_and_number_of_questions(
    factory: ModuleType,
) -> None:
    diagnosis = judged(factory, factory.Plan())
    for predicate in ("steps", "examples", "sensitive_layers"):
        found = finding(diagnosis, predicate)
        assert None not in (found.effect, found.lo95, found.hi95, found.n_units), predicate
        assert found.lo95 < found.effect < found.hi95


def test_sinks_of_the_weights_are_held_against_the_declared_ones(factory: ModuleType) -> None:
    said = finding(judged(factory, factory.Plan()), "sinks").sentence
    assert "a declared sink is one in all 4 variants; so are ‘.’ (position 4 of cot, 0.120" in said
    assert "in 2 layers), not declared." in said
    alike = drop("sinks", declared=False)
    said = finding(judged(factory, factory.Plan(), alike), "sinks").sentence
    assert said.endswith("a declared sink is one in all 4 variants; no other key is.")
    none = put("sinks", {"variant": "plain"}, declared=None, position=None, mean=None, layers=0)
    said = finding(judged(factory, factory.Plan(), alike, none), "sinks").sentence
    assert "a declared sink is one in 3 of 4 variants (1_shot, 2_shot, cot)" in said
    assert "The first of fewer than 13 tokens that only look back cannot be one" in said
    share = {n: n / sum(1 / k for k in range(1, n + 1)) for n in (12, 13)}
    assert share[12] < THRESHOLD < share[13]
    unknown = finding(judged(factory, factory.Plan(), drop("sinks", model=MODEL)), "sinks")
    assert "By the weights themselves" not in unknown.sentence


def test_prompts_over_the_limit_are_named_with_the_key(factory: ModuleType) -> None:
    long = put("answers", {"variant": "cot"}, tokens=37, over_limit=20)
    found = finding(judged(factory, factory.Plan(), long), "capture")
    assert found.status == "YES"
    assert found.sentence.endswith(
        "Without maps, rollout, distances of all heads and position means (E3): cot (37 "
        "tokens), more than analysis.text.dense_limit 20; raise it to have them."
    )
    assert "dense_limit" not in finding(judged(factory, factory.Plan()), "capture").sentence


def test_an_invalid_capture_answers_nothing(factory: ModuleType) -> None:
    diagnosis = judged(factory, factory.Plan(reasons={"off_support": 1.0}))
    assert finding(diagnosis, "answer").sentence == "tiny chat: the captured weights are invalid."


def test_diagnosis_survives_json_and_does_not_depend_on_row_order(factory: ModuleType) -> None:
    plan = factory.Plan()
    tables, context = factory.study(plan), factory.diagnosis_context(plan)
    diagnosis = diagnose(tables, context)
    shuffled = {k: t.sample(fraction=1.0, shuffle=True, seed=5) for k, t in tables.items()}
    assert diagnose(shuffled, context) == diagnosis
    assert Diagnosis.model_validate_json(diagnosis.model_dump_json()) == diagnosis
    assert (diagnosis.kind, diagnosis.units, diagnosis.delta) == ("text", 32, 0.01)
    assert "None" not in diagnosis.model_dump_json(exclude={"evidence"})


def test_an_empty_study_decides_nothing(factory: ModuleType) -> None:
    diagnosis = diagnose({}, factory.diagnosis_context(factory.Plan()))
    assert {f.status for f in diagnosis.findings} == {"INCONCLUSIVE"}
    assert diagnosis.evidence == []
    assert all(f.missing for f in diagnosis.findings)


def test_context_is_read_from_a_jobs_config_and_the_texts_description() -> None:
    spec = {"title": "T", "context": {
        "labels": [["a", "A"]], "attention_models": ["a"], "baselines": {"a": None}, "seeds": [0],
        "delta": 0.02, "text": {"mass_margin": 0.03, "accuracy_range": [0.1, 0.9]},
    }}  # fmt: skip
    described = {"texts": {
        "kind": "prompts", "questions": 8, "variants": ["plain", "cot"], "available": 30,
    }}  # fmt: skip
    context = diagnosis_context(spec, described)
    assert (context.kind, context.texts.unit) == ("text", "question")
    assert (context.texts.questions, context.texts.variants) == (8, ("plain", "cot"))
    assert context.texts.available == 30
    assert (context.texts.mass_margin, context.texts.accuracy_range) == (0.03, (0.1, 0.9))
    del spec["context"]["text"]
    assert diagnosis_context(spec, {"window": 5}).kind == "weights"
    assert diagnosis_context(spec, {"window": 5, "target": {}}).kind == "forecast"


@pytest.mark.parametrize(
    ("e2", "e34", "said"),
    [
        (
            (0.9, 0.1),
            (0.5, 0.1),
            "The answers rest on the unequal weights of attention, and on what",
        ),
        ((0.9, 0.1), (0.0, 0.01), "attention, which need not depend on the content."),
        ((0.9, 0.1), (0.02, 0.1), "The answers rest on the unequal weights of attention. Whether"),
        ((0.02, 0.1), (0.5, 0.1), "The answers rest on what attention looks at. Whether"),
        ((0.005, 0.01), (0.004, 0.008), "Whether a model without it"),
    ],
)
def test_the_verdict_says_no_more_than_was_shown(
    factory: ModuleType, e2: tuple[float, float], e34: tuple[float, float], said: str
) -> None:
    plan = factory.Plan(replaced={"E2": e2, "E3": e34, "E4": e34})
    sentence = finding(judged(factory, plan), "verdict").sentence
    assert said in sentence
    assert ("rest on" in sentence) == ("rest on" in said or "attention, which" in said)


def test_content_says_on_how_many_texts_mean_rows_rest_at_most(factory: ModuleType) -> None:
    """Half of those that are read together: the mean is of the other half."""
    from attnpipe.tasks.answers import BATCH

    found = finding(judged(factory, factory.Plan()), "content")
    assert f"the mean row of the position in at most {BATCH // 2} other texts +" in found.sentence
