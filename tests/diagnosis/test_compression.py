"""What is said of shortened inputs: of whole ones, of windows, and where nothing was measured."""

from types import ModuleType

import polars as pl
import pytest

from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Finding
from attnpipe.tables.compression import COMPRESSION

MODEL = "lstm_small_simple"


def found(factory: ModuleType, table: pl.DataFrame | None = None, **options: object) -> Finding:
    plan = factory.Plan(window=20, epochs=6, **options)
    tables = factory.study(plan)
    if table is not None:
        tables = tables | {"compression": table}
    (one,) = [
        f for f in diagnose(tables, factory.diagnosis_context(plan)).findings
        if f.id == f"compression.{MODEL}"
    ]  # fmt: skip
    return one


def with_whole(factory: ModuleType, cost: float, *, moved: bool = True) -> pl.DataFrame:
    """The factory's policies and, for two of them, all of the input, which costs nothing."""
    rows = factory.compression_rows(MODEL, None, cost, 5)
    nothing = dict.fromkeys(("value", "lo95", "hi95", "upper", "nats"), 0.0)
    whole = [
        row | nothing | {
            "budget": 1.0, "within": True, "costly": False,
            "chosen": cost >= 0.01 and row["policy"] == "recent" and not row["reindexed"],
        }
        for row in rows if row["budget"] == 0.5
    ]  # fmt: skip
    table = COMPRESSION.frame(rows + whole)
    return table if moved else table.filter(~pl.col("reindexed"))


@pytest.mark.parametrize(("cost", "status"), [(0.3, "NO"), (0.022, "INCONCLUSIVE")])
def test_the_whole_input_is_advice_not_to_compress(
    factory: ModuleType, cost: float, status: str
) -> None:
    one = found(factory, with_whole(factory, cost), tokens=True)
    assert one.status == status
    assert one.sentence.startswith("Do not compress: ")
    assert "100 %" not in one.sentence
    assert f"compression.{MODEL}.selection.recent.1_0" in one.evidence
    without = found(factory, tokens=True, shortened=cost)
    assert (one.status, one.sentence) == (without.status, without.sentence)


def test_a_shorter_input_that_will_do_is_advised_beside_the_whole_one(factory: ModuleType) -> None:
    one = found(factory, with_whole(factory, 0.005), tokens=True)
    assert one.status == "YES"
    assert one.sentence.startswith("The newest 50 % of the tokens will do")
    assert one.sentence.endswith("tokens that are left keep their positions.")


def test_windows_have_steps(factory: ModuleType) -> None:
    one = found(factory, with_whole(factory, 0.005))
    assert one.sentence.startswith("The newest 50 % of the steps will do")
    assert one.sentence.endswith("steps that are left keep their positions.")
    unplaced = found(factory, with_whole(factory, 0.005, moved=False))
    assert unplaced.sentence.endswith("steps that are left are read one after the other.")


def test_a_model_whose_windows_were_not_shortened_is_named_with_what_to_run(
    factory: ModuleType,
) -> None:
    one = found(factory)
    assert one.status == "INCONCLUSIVE"
    assert "LSTM small simple" in one.sentence
    assert "was not measured" in one.sentence
    assert one.next_overrides == ["compression.windows=true"]
    assert one.missing == ["losses of shortened windows: compression.windows=true"]


def test_weights_alone_are_not_asked(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6, trained=False, plain=())
    diagnosis = diagnose(factory.study(plan), factory.diagnosis_context(plan, forecasts=False))
    assert not [f for f in diagnosis.findings if f.predicate == "compression"]
