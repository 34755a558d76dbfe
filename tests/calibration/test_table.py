"""The stored table of error rates is made of the stored verdicts, and keeps the targets."""

from collections import Counter

import polars as pl
import pytest
from tests.calibration.cases import NAMES
from tests.calibration.page import PAGE, SINCE, above, page
from tests.calibration.published import TABLE as WORDS
from tests.calibration.tabulate import DRAWN, SIZES, TABLE, row
from tests.calibration.targets import misses
from tests.calibration.train import GROUP, stored


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return pl.read_csv(TABLE)


def test_every_case_that_was_run_has_a_line_for_every_number_of_seeds(table: pl.DataFrame) -> None:
    run = set(stored()["case"])
    assert run == {*NAMES, DRAWN}
    wanted = {(case, size) for case in run for size in SIZES}
    assert set(table.select("case", "seeds").iter_rows()) == wanted


def test_lines_are_what_the_verdicts_add_up_to(table: pl.DataFrame) -> None:
    for line in table.iter_rows(named=True):
        of = stored().filter(case=line["case"], seeds=line["seeds"])
        names = Counter(dict(of.group_by("diagnosis").agg(pl.col("groups").sum()).iter_rows()))
        wanted = row(line["case"], line["seeds"], names)
        assert sorted(line["verdicts"].split(", ")) == sorted(str(wanted["verdicts"]).split(", "))
        for name in ("groups", "correct", "inconclusive", "wrong", "wrong_upper", "beneficial"):
            assert line[name] == pytest.approx(wanted[name], abs=1e-4)


def test_every_line_keeps_the_targets(table: pl.DataFrame) -> None:
    for line in table.iter_rows(named=True):
        assert not misses(line), line


def test_every_case_was_run_as_often_as_is_asked(table: pl.DataFrame) -> None:
    """100 groups of ten, 200 of five; of the LSTM, of which 60 of five are asked, 50 and 100."""
    for case, size, groups in table.select("case", "seeds", "groups").iter_rows():
        tens = 50 if case == "marker" else 100
        assert groups == tens * (GROUP // size), case


def test_the_page_is_what_the_stored_tables_make() -> None:
    """``python -m tests.calibration.page`` writes it."""
    assert PAGE.read_text("utf-8") == page()


def test_the_page_says_that_code_has_changed_only_where_verdicts_are_of_several() -> None:
    assert (SINCE in page()) == (stored()["judged"].n_unique() > 1)


def test_cells_in_which_a_gate_errs_more_often_than_it_may_are_named() -> None:
    cells = [  # mean 1 is δ
        ("arm", 5, 0.5, 1.0, 0.034, 0.05), ("arm", 5, 0.25, 1.0, 0.025, 0.059),
        ("arm", 5, 0.25, 0.0, 0.0, 0.9), ("arm", 10, 1.0, 1.0, 0.026, 0.0),
        ("intervention", 3, 2.0, 1.0, 0.01, 0.03), ("intervention", 3, 2.0, 2.0, 0.6, 0.0),
    ]  # fmt: skip
    columns = ["gate", "seeds", "sd", "mean", "YES", "NO"]
    assert above(pl.DataFrame(cells, schema=columns, orient="row")) == (
        "More come than may: YES of arm, 5 seeds: 3.40 (+0.90) at sd 0.5 δ; "
        "YES of arm, 10 seeds: 2.60 (+0.10) at sd 1 δ; "
        "NO of arm, 5 seeds: 5.90 (+0.90) at sd 0.25 δ; "
        "NO of intervention, 3 seeds: 3.00 (+0.50) at sd 2 δ."
    )
    assert above(pl.DataFrame(cells[2:3], schema=columns, orient="row")) == "No cell has more."


def test_what_earlier_rules_say_is_told_of_every_case() -> None:
    assert set(pl.read_csv(WORDS)["case"]) >= set(stored()["case"]) - {DRAWN}
