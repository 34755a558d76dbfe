"""Sentences say what is the case: reasons, plurals, and what a statement holds for."""

import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import polars as pl
import pytest

from attnpipe.diagnosis.registry import PREDICATES
from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Diagnosis, Finding
from attnpipe.report.overview import cell_of, overview

Tables = dict[str, pl.DataFrame]
MODEL = "lstm_small_simple"


def edited(tables: Tables, table: str, where: pl.Expr, **cells: object) -> Tables:
    frame = tables[table]
    assert frame.filter(where).height > 0
    new = [
        pl.when(where).then(pl.lit(v, frame.schema[c])).otherwise(pl.col(c)).alias(c)
        for c, v in cells.items()
    ]
    return tables | {table: frame.with_columns(new)}


def judged(
    factory: ModuleType, edit: Callable[[Tables], Tables] = dict, **options: object
) -> Diagnosis:
    plan = factory.Plan(**{"window": 20, "epochs": 6} | options)
    return diagnose(edit(factory.study(plan)), factory.diagnosis_context(plan))


def found(diagnosis: Diagnosis, name: str) -> Finding:
    (finding,) = [f for f in diagnosis.findings if f.id == name]
    return finding


def of_final(metric: str) -> pl.Expr:
    return (
        (pl.col("model") == MODEL) & (pl.col("metric") == metric) & (pl.col("checkpoint") == "best")
    )


@pytest.mark.parametrize(
    ("profile", "rows", "hidden"), [(0.96, 0.90, True), (0.90, 0.96, False), (0.84, 0.86, False)]
)
def test_averaging_is_the_reason_only_where_the_profile_is_flatter_than_its_rows(
    factory: ModuleType, profile: float, rows: float, hidden: bool
) -> None:
    def edit(tables: Tables) -> Tables:
        word = "nahezu uniform" if profile > 0.95 else "schwach fokussiert"
        where = of_final("profile_entropy_normalized")
        tables = edited(
            tables, "metrics", where, mean=profile,
            as_published=word if profile > 0.85 else "fokussiert",
        )  # fmt: skip
        return edited(tables, "metrics", of_final("entropy_normalized"), mean=rows)

    finding = found(judged(factory, edit), f"published_entropy.{MODEL}")
    assert finding.status == "NO"
    assert ("never below the mean entropy" in finding.sentence) == hidden
    assert ("divided by ln T" in finding.sentence) == (not hidden)
    assert ("last query's row alone" in finding.sentence) == (not hidden)


def test_what_rests_on_the_order_of_inputs_is_said_where_it_is_known(factory: ModuleType) -> None:
    finding = found(judged(factory), f"focus.{MODEL}")
    assert "in random order the mean lag is" in finding.sentence
    of = f"metric.{MODEL}.shuffled_inputs."
    assert {of + "lag_mean", of + "kl_uniform", f"metric.{MODEL}.kl_uniform"} <= {*finding.evidence}

    def edit(tables: Tables) -> Tables:
        plain = pl.col("condition").ne_missing("shuffled_inputs")
        return tables | {"metrics": tables["metrics"].filter(plain)}

    finding = found(judged(factory, edit), f"focus.{MODEL}")
    assert finding.status == "DESCRIPTIVE"
    assert "random order" not in finding.sentence
    assert not [i for i in finding.evidence if i.startswith(of)]


@pytest.mark.parametrize(("share", "sharper"), [(0.5, True), (1.0, False)])
def test_models_trained_on_shuffled_labels_stand_beside_sharpness(
    factory: ModuleType, share: float, sharper: bool
) -> None:
    plan = factory.Plan(window=20, epochs=6)
    tables = factory.study(plan)
    plain = found(diagnose(tables, factory.diagnosis_context(plan)), f"sharpness.{MODEL}")
    assert "shuffled labels" not in plain.sentence
    for table in ("inventory", "metrics"):
        own = tables[table].filter(pl.col("model") == MODEL).with_columns(model=pl.lit("L0"))
        if table == "metrics":
            own = own.with_columns(pl.col("mean", "lo95", "hi95") * share)
        tables[table] = pl.concat([tables[table], own])
    context = replace(factory.diagnosis_context(plan), label_nulls={MODEL: "L0"})
    finding = found(diagnose(tables, context), f"sharpness.{MODEL}")
    assert finding.status == plain.status == "YES"
    assert {*finding.evidence} == {*plain.evidence, "metric.L0.kl_uniform"}
    end = "sharper than theirs." if sharper else "not shown to be sharper."
    assert finding.sentence.endswith(end)


def test_without_positive_skill_a_gain_has_no_unit(factory: ModuleType) -> None:
    where = (pl.col("model") == MODEL) & (pl.col("level") == "gain")
    where &= pl.col("metric") == "skill_units"

    def edit(tables: Tables) -> Tables:
        return edited(tables, "comparisons", where, value=None, lo95=None, hi95=None)

    finding = found(judged(factory, edit), f"gain.{MODEL}")
    assert finding.status == "INCONCLUSIVE"
    assert "no positive skill to measure a gain by" in finding.sentence
    assert finding.missing == ["positive skill of LSTM small simple"]
    assert f"gain.{MODEL}.loss" in finding.evidence


@pytest.mark.parametrize("options", [{"plain": ()}, {"trained": False}])
def test_seeds_are_not_asked_about_a_gain_that_cannot_be(
    factory: ModuleType, options: dict[str, object]
) -> None:
    diagnosis = judged(factory, **options)
    assert not [f for f in diagnosis.findings if f.predicate == "heterogeneity"]
    assert [f for f in diagnosis.findings if f.predicate == "gain"]
    assert "None" not in diagnosis.model_dump_json(exclude={"evidence"})


OVER_SEEDS = [
    "seeds", "duplicates", "final_weights", "stability", "published_stability", "heterogeneity",
]  # fmt: skip


@pytest.mark.parametrize("seeds", [(7,), (7, 42, 94, 123, 231)])
def test_without_a_seed_axis_statistics_over_seeds_are_unknowable(
    factory: ModuleType, seeds: tuple[int, ...]
) -> None:
    def edit(tables: Tables) -> Tables:
        return edited(tables, "inventory", pl.col("model") == MODEL, has_seeds=False)

    assert {n for n, p in PREDICATES.items() if p.over_seeds} == set(OVER_SEEDS)
    diagnosis = judged(factory, edit, seeds=seeds)
    for predicate in OVER_SEEDS:
        finding = found(diagnosis, f"{predicate}.{MODEL}")
        assert finding.status == "INCONCLUSIVE"
        assert "unknowable: the weights come without a seed axis" in finding.sentence
        other = found(diagnosis, f"{predicate}.lstm_medium_simple")
        assert "seed axis" not in other.sentence
    own = [line for f in diagnosis.findings if f.model == MODEL for line in f.missing]
    assert not [line for line in own if "more seed" in line]


@pytest.mark.parametrize(("model", "attends"), [(MODEL, True), ("lstm_small", False)])
def test_only_a_model_with_attention_is_warned_about_its_attention(
    factory: ModuleType, model: str, attends: bool
) -> None:
    where = (pl.col("model") == model) & (pl.col("level") == "skill")

    def edit(tables: Tables) -> Tables:
        return edited(tables, "comparisons", where, value=-0.3, lo95=-0.4, hi95=-0.2)

    finding = found(judged(factory, edit), f"skill.{model}")
    assert finding.status == "NO"
    assert ("attention" in finding.sentence) == attends


def test_the_answer_says_of_how_many_models_attention_had_not_settled(factory: ModuleType) -> None:
    where = pl.col("model").is_in([MODEL, "lstm_medium_additive"])

    def restless(tables: Tables) -> Tables:
        return edited(tables, "convergence", where, censored=True)

    finding = found(judged(factory, restless), "answer.study")
    diagnoses, gains, *_ = finding.sentence.split(". ")
    assert diagnoses.startswith("Of 4 models with attention — CONTENT-BENEFICIAL: 1 (")
    assert gains.startswith("Against their baselines — ")
    assert "attention of 2 of these models had not settled when training ended" in gains
    assert "at this training budget" in gains
    assert f"convergence.{MODEL}.7" in finding.evidence
    assert "settled" not in found(judged(factory), "answer.study").sentence

    def short(tables: Tables) -> Tables:
        last = tables["inventory"]["last_epoch"].max()
        return edited(restless(tables), "inventory", where, best_epoch=last)

    finding = found(judged(factory, short), "answer.study")
    assert "attention of 2 and the loss of 2 of these models had not settled" in finding.sentence
    assert f"run.{MODEL}.7" in finding.evidence

    def unrecorded(tables: Tables) -> Tables:
        return tables | {"convergence": tables["convergence"].filter(~where)}

    said = found(judged(factory, unrecorded), "answer.study").sentence
    assert "of 2 it is not known whether attention had settled" in said


def test_the_study_groups_what_did_not_end_well(factory: ModuleType) -> None:
    reason = "a very long reason that repeats the model and the seed " * 4

    def edit(tables: Tables) -> Tables:
        return edited(tables, "inventory", pl.col("outcome") != "ok", reason=reason)

    lost = {(MODEL, 7), (MODEL, 42), ("lstm_medium", 94)}
    diagnosis = judged(factory, edit, diverged=frozenset(lost))
    assert found(diagnosis, "gaps.study").sentence == (
        "3 runs diverged: LSTM medium (seed 94), LSTM small simple (seeds 7, 42); "
        "the inventory says why."
    )
    assert reason in found(diagnosis, f"runs.{MODEL}").sentence


def test_a_seed_that_was_never_saved_for_a_model_is_no_gap(factory: ModuleType) -> None:
    plan = factory.Plan()
    kept, dropped = plan.seeds[:2], list(plan.seeds[2:])
    tables = factory.study(plan)
    never = (pl.col("model") == MODEL) & pl.col("seed").is_in(dropped)
    tables = tables | {"inventory": tables["inventory"].filter(~never)}
    context = factory.diagnosis_context(plan)

    lost = diagnose(tables, context)
    assert f"record of run {MODEL}.{dropped[0]}" in found(lost, "gaps.study").missing
    assert found(lost, f"runs.{MODEL}").status == "INCONCLUSIVE"

    whole = diagnose(tables, replace(context, stored_seeds={MODEL: kept}))
    assert found(whole, "gaps.study").status == "YES"
    total = len(plan.models) * len(plan.seeds) - len(dropped)
    assert found(whole, "gaps.study").sentence == f"All {total} runs ended well."
    assert found(whole, f"runs.{MODEL}").status == "YES"
    assert found(whole, f"seeds.{MODEL}").n_seeds == 2
    rows = {model.name: cells for model, cells in overview(whole).rows}
    assert "2 of 2" in [cell.text for cell in rows[MODEL]]


def test_the_overview_gives_the_range_over_several_heads(factory: ModuleType) -> None:
    finding = found(judged(factory), f"sharpness.{MODEL}")
    several = finding.model_copy(
        update={"effect": None, "lo95": None, "hi95": None, "effect_range": (0.25, 0.75)}
    )
    assert cell_of(several).text == "0.250 to 0.750 over heads"


@pytest.mark.parametrize(
    ("kl", "before", "seeds"),
    [
        # Half-width 0.02 and 5 seeds: s = 0.0161, t(18) s/√19 = 0.0078 ≤ 0.008.
        ((0.058, 0.038, 0.078), (0.001, 0.0, 0.002), "about 19 seeds"),
        ((0.110, 0.090, 0.130), (0.095, 0.09, 0.0995), "about 12 seeds"),
        ((0.110, 0.090, 0.130), (0.115, 0.10, 0.120), "to tell trained from untrained"),
        ((0.042, 0.022, 0.062), (0.095, 0.09, 0.100), "about 19 seeds"),
    ],
)
def test_seeds_for_sharpness_are_counted_to_the_margin_that_blocks(
    factory: ModuleType,
    kl: tuple[float, float, float],
    before: tuple[float, float, float],
    seeds: str,
) -> None:
    names = ("mean", "lo95", "hi95")
    untrained = (
        (pl.col("model") == MODEL)
        & (pl.col("metric") == "kl_uniform")
        & (pl.col("checkpoint") == "untrained")
    )

    def edit(tables: Tables) -> Tables:
        tables = edited(
            tables, "metrics", of_final("kl_uniform"), **dict(zip(names, kl, strict=True))
        )
        return edited(tables, "metrics", untrained, **dict(zip(names, before, strict=True)))

    finding = found(judged(factory, edit), f"sharpness.{MODEL}")
    assert finding.status == "INCONCLUSIVE"
    (missing,) = finding.missing
    assert seeds in missing


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": (7,), "attention": (MODEL,), "plain": ("lstm_small",)},
        {"seeds": (7,), "attention": (MODEL,), "plain": (), "trained": False},
        {"seeds": (7,), "censored": True, "diverged": frozenset({("lstm_small", 7)})},
        {"seeds": (7, 42), "identical": frozenset({(MODEL, 42)}), "leaks": 1.0},
        {"seeds": (7, 42), "absent": frozenset({MODEL})},
        {"heads": 4},
    ],
)
def test_numbers_agree_with_their_nouns(factory: ModuleType, options: dict[str, object]) -> None:
    plurals = re.compile(
        r"(?<![\d.,–-])1 (?:\w+ )?(?:models|runs|seeds|heads|units|keys)\b|[Aa]ll 1 "
    )
    diagnosis = judged(factory, **options)
    for finding in diagnosis.findings:
        for text in (finding.sentence, *finding.missing):
            assert not plurals.search(text), text
            assert not re.search(r"over \d+ heads (?:steps|nats|of|keys)", text), text


@pytest.mark.parametrize(
    ("trained", "untrained", "said"),
    [
        (
            (0.55, 0.2),
            (0.8, 0.02),
            ["what more seeds cannot give: they are alike, and were as much before training"],
        ),
        # Untrained models may be as much alike, but that is not what is known of them.
        (
            (0.55, 0.2),
            (0.1, 0.6),
            [
                "more seeds: how much alike they were before training is not known well enough",
            ],
        ),
        ((0.65, 0.1), (0.6, 0.0), ["more seeds, to tell trained from untrained models"]),
        # The interval must clear what untrained models show: s = 0.201, t(12) s/√13 = 0.122.
        ((0.75, 0.25), (0.625, 0.0), ["about 13 seeds"]),
        # Below 0.5 it is 0.5 that must be cleared, at the same distance.
        ((0.375, 0.25), (0.0, 0.1), ["about 13 seeds"]),
    ],
)
def test_seeds_are_asked_for_only_where_they_can_settle_whether_seeds_are_alike(
    factory: ModuleType,
    trained: tuple[float, float],
    untrained: tuple[float, float],
    said: list[str],
) -> None:
    def edit(tables: Tables) -> Tables:
        for checkpoint, (mean, half) in {"best": trained, "untrained": untrained}.items():
            where = (
                (pl.col("model") == MODEL)
                & (pl.col("level") == "model")
                & (pl.col("measure") == "centred_cosine")
                & (pl.col("checkpoint") == checkpoint)
            )
            ends = {"value": mean, "lo95": mean - half, "hi95": mean + half}
            tables = edited(tables, "similarity", where, **ends)
        return tables

    finding = found(judged(factory, edit), f"stability.{MODEL}")
    assert finding.status == "INCONCLUSIVE"
    assert finding.missing == said


def test_what_heads_that_repeat_are_worth_is_told_by_layer(factory: ModuleType) -> None:
    diagnosis = judged(factory, tokens=True)
    finding = found(diagnosis, f"induction.{MODEL}")
    assert finding.sentence.endswith(
        "With the mean rows of the position in one layer alone (E3 there), a token's loss grows "
        "by +0.020 [0.016, 0.024] in layer 0, +2.400 [2.396, 2.404] in layer 1 (nats)."
    )
    cited = [e for e in diagnosis.evidence if e.id in finding.evidence and e.table == "effects.csv"]
    assert [(e.row["layer"], e.estimate) for e in cited] == [(0, 0.02), (1, 2.4)]


def test_what_was_measured_without_skill_is_not_asked_for_again(factory: ModuleType) -> None:
    """Losses are there; shares of a skill that is not above 0 are not."""
    without = pl.col("metric") == "skill_units"

    def edit(tables: Tables) -> Tables:
        nothing = dict.fromkeys(("value", "lo95", "hi95", "lo90", "hi90", "margin", "p"))
        return edited(tables, "effects", (pl.col("model") == MODEL) & without, **nothing)

    diagnosis = judged(factory, edit)
    for predicate in ("used", "content", "benefit"):
        finding = found(diagnosis, f"{predicate}.{MODEL}")
        assert (finding.status, finding.next_overrides) == ("INCONCLUSIVE", [])
        assert "has no skill of which it could be a share" in finding.sentence
        assert finding.missing[0].startswith("skill above 0: ")
        assert any(i.startswith(f"causal.{MODEL}.") for i in finding.evidence)
    answer = found(diagnosis, "answer.study").sentence
    assert "are missing" not in answer
    assert "is no share of a skill, which is not above 0" in answer


def test_an_arm_that_never_ran_is_asked_for_although_others_have_no_share(
    factory: ModuleType,
) -> None:
    def edit(tables: Tables) -> Tables:
        of_model, share = pl.col("model") == MODEL, pl.col("metric") == "skill_units"
        tables = edited(tables, "effects", of_model & share, value=None, lo95=None, hi95=None)
        return tables | {
            "effects": tables["effects"].filter(~(of_model & (pl.col("code") == "R1")))
        }

    finding = found(judged(factory, edit), f"benefit.{MODEL}")
    assert any(line.startswith("R1: arm 'uniform'") for line in finding.missing)
    assert finding.next_overrides == [f"++models.{MODEL}.arms=[uniform]"]


def test_harm_says_which_models_are_better(factory: ModuleType) -> None:
    harmful = "lstm_medium_additive"
    diagnosis = judged(factory)
    sentence = found(diagnosis, f"verdict.{harmful}").sentence
    told = {
        answer: [c for c in ("R0", "R1", "R2") if f"({c})" in part]
        for part in sentence.partition(" — ")[2].split(";")
        for answer in [part.strip().partition(":")[0]]
    }
    gates = {g.code: g.status for g in found(diagnosis, f"verdict.{harmful}").gates}
    assert sorted(c for of in told.values() for c in of) == ["R0", "R1", "R2"]
    words = {"HARM": "better", "NO": "as good", "YES": "worse"}
    assert all(
        code in told[words.get(gates[code], "undecided at δ")] for code in ("R0", "R1", "R2")
    )


def test_of_an_arm_that_was_never_trained_harm_says_nothing(factory: ModuleType) -> None:
    def edit(tables: Tables) -> Tables:
        return tables | {"effects": tables["effects"].filter(pl.col("code").ne_missing("R2"))}

    sentence = found(judged(factory, edit), "verdict.lstm_medium_additive").sentence
    assert "(R0)" in sentence
    assert "R2" not in sentence


@pytest.mark.parametrize("seeds", [20, 25])
def test_seeds_that_would_not_be_compared_are_not_asked_for(
    factory: ModuleType, seeds: int
) -> None:
    wide = {"value": 0.55, "lo95": 0.2, "hi95": 0.9, "n": 20}

    def edit(tables: Tables) -> Tables:
        of_model = (pl.col("model") == MODEL) & (pl.col("level") == "model")
        rows = of_model & (pl.col("measure") == "centred_cosine") & (pl.col("checkpoint") == "best")
        return edited(tables, "similarity", rows, **wide)

    finding = found(judged(factory, edit, seeds=tuple(range(seeds))), f"stability.{MODEL}")
    assert finding.status == "INCONCLUSIVE"
    assert finding.next_overrides == []
    assert finding.missing == ["what more seeds cannot give: of more than 20 no more are compared"]


def test_runs_of_arms_are_counted_and_those_that_failed_are_named(factory: ModuleType) -> None:
    def arms(outcome: str) -> Callable[[Tables], Tables]:
        def edit(tables: Tables) -> Tables:
            own = tables["inventory"].filter(pl.col("model") == MODEL)
            of_arm = own.with_columns(model=pl.lit("none-12"), outcome=pl.lit(outcome))
            return tables | {"inventory": pl.concat([tables["inventory"], of_arm])}

        return edit

    well = found(judged(factory, arms("ok")), "gaps.study")
    assert well.status == "YES"
    assert ", and the 5 runs of arms on record, ended well" in well.sentence
    assert "run.none-12.7" in well.evidence
    bad = found(judged(factory, arms("diverged")), "gaps.study")
    assert bad.status == "NO"
    assert bad.sentence == "5 runs of arms diverged; the inventory says why."


@pytest.mark.parametrize(("lag", "after"), [(4.0, ""), (-9.2, " (below 0: after the query)")])
def test_a_mean_of_modes_is_said_to_be_one(factory: ModuleType, lag: float, after: str) -> None:
    def edit(tables: Tables) -> Tables:
        ends = {"mean": lag, "lo95": lag - 1, "hi95": lag + 1}
        return edited(tables, "metrics", of_final("peak_lag_mode"), **ends)

    said = found(judged(factory, edit), f"published_numbers.{MODEL}").sentence
    number = f"{lag:.3f} [{lag - 1:.3f}, {lag + 1:.3f}]".replace("-", "−")
    number = number.replace("−10.200", "−10.2")
    assert (
        f"commonest lag of these peaks of each seed, on average over seeds: {number}{after};"
    ) in said
