"""Effects on answers, against means and intervals computed question by question."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from attnpipe.aggregation.text.answer_effects import answer_effects
from attnpipe.tables.text import TEXT_EFFECTS, TEXT_INTERVENTIONS

QUESTIONS, VARIANTS = 12, ("plain", "1_shot")
WHERE = [("uniform", "all"), ("uniform", "0-1"), ("permuted", "all"), ("permuted", "0-1")]


def made(missing: set[int] = frozenset()) -> pl.DataFrame:  # type: ignore[assignment]
    rng = np.random.default_rng(3)
    rows = []
    for v, variant in enumerate(VARIANTS):
        for question in range(QUESTIONS):
            item = v * QUESTIONS + question
            intact = rng.uniform(0.5, 1.0)
            own = {"model": "m", "item": item, "question": question, "variant": variant}
            rows.append(own | {"intervention": "intact", "loss": intact})
            told = None if question in missing else intact + rng.uniform(2, 4)
            rows.append(own | {"intervention": "other_answer", "loss": told})
            for k, (name, layers) in enumerate(WHERE):
                loss = intact + rng.normal(0.5 * (k + 1), 0.3)
                rows.append(own | {"intervention": name, "layers": layers, "loss": loss})
    intact_loss = pl.col("loss").filter(pl.col("intervention") == "intact").first().over("item")
    return TEXT_INTERVENTIONS.frame(rows).with_columns(delta=pl.col("loss") - intact_loss)


def deltas(frame: pl.DataFrame, variant: str | None, name: str, layers: str | None) -> np.ndarray:
    """Loss with less loss without, question by question; mean over variants."""
    out = []
    for question in range(QUESTIONS):
        of = []
        for v in VARIANTS if variant is None else (variant,):
            rows = frame.filter((pl.col("question") == question) & (pl.col("variant") == v))
            loss = {(r["intervention"], r["layers"]): r["loss"] for r in rows.iter_rows(named=True)}
            with_it = loss[name, layers]
            of.append(np.nan if with_it is None else with_it - loss["intact", None])
        out.append(np.mean(of))
    return np.array(out)


def pick(table: pl.DataFrame, **where: object) -> dict[str, object]:
    rows = table.filter(
        pl.all_horizontal(pl.col(c).eq_missing(pl.lit(v)) for c, v in where.items())
    )
    assert rows.height == 1, where
    return rows.row(0, named=True)


@pytest.mark.parametrize("variant", [*VARIANTS, None])
def test_nats_and_skill_units_with_their_intervals(variant: str | None) -> None:
    frame = made()
    table = answer_effects("m", frame)
    assert table.schema == TEXT_EFFECTS.schema
    told = deltas(frame, variant, "other_answer", None)
    for name, layers in WHERE:
        d = deltas(frame, variant, name, layers)
        row = pick(table, variant=variant, intervention=name, layers=layers, metric="nats")
        lo, hi = stats.t.interval(0.95, QUESTIONS - 1, d.mean(), stats.sem(d))
        assert [row["mean"], row["lo95"], row["hi95"]] == pytest.approx([d.mean(), lo, hi])
        lo, hi = stats.t.interval(0.90, QUESTIONS - 1, d.mean(), stats.sem(d))
        assert [row["lo90"], row["hi90"]] == pytest.approx([lo, hi])
        assert row["n"] == QUESTIONS
        units = pick(table, variant=variant, intervention=name, layers=layers, metric="skill_units")
        ratio = d.mean() / told.mean()
        assert units["mean"] == pytest.approx(ratio)
        assert units["lo95"] < units["lo90"] < ratio < units["hi90"] < units["hi95"]
        for level, ends in ((0.95, ("lo95", "hi95")), (0.90, ("lo90", "hi90"))):
            rejected = [stats.ttest_1samp(d - units[end] * told, 0).pvalue for end in ends]
            assert rejected == pytest.approx([1 - level] * 2)  # Fieller's theorem
        assert units["p"] == row["p"], "a share is 0 where what is lost is"
    assert {r["code"] for r in table.iter_rows(named=True)} == {"E2", "E4", None}


def test_whole_models_are_adjusted_by_holm_and_groups_of_layers_by_bh_and_by() -> None:
    table = answer_effects("m", made()).filter(
        pl.col("variant").is_null() & (pl.col("metric") == "nats")
    )
    whole, group = (table.filter(pl.col("layers") == w) for w in ("all", "0-1"))
    assert whole["p_holm"].null_count() == group["p_bh"].null_count() == 0
    assert whole["p_bh"].null_count() == whole.height
    assert (whole["p_holm"] >= whole["p"]).all()
    assert (group["p_by"] >= group["p_bh"]).all()
    assert pick(table, intervention="other_answer")["p_holm"] is None


def test_questions_without_another_answer_are_left_out_of_skill_units_alone() -> None:
    table = answer_effects("m", made({2, 5}))
    where = {"variant": "plain", "intervention": "uniform", "layers": "all"}
    assert pick(table, **where, metric="nats")["n"] == QUESTIONS
    assert pick(table, **where, metric="skill_units")["n"] == QUESTIONS - 2


def test_nothing_is_lost_where_nothing_was_told() -> None:
    frame = made().with_columns(
        delta=pl.when(pl.col("intervention") == "other_answer").then(-1).otherwise(pl.col("delta"))
    )
    units = answer_effects("m", frame).filter(pl.col("metric") == "skill_units")
    assert units["mean"].null_count() == units.height


def test_without_interventions_the_table_is_empty() -> None:
    assert answer_effects("m", None).equals(TEXT_EFFECTS.frame())
