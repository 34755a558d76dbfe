"""The stored table of error rates is made of the stored verdicts, and keeps the targets."""

from collections import Counter

import polars as pl
import pytest
from tests.calibration.cases import NAMES
from tests.calibration.tabulate import DRAWN, SIZES, TABLE, row
from tests.calibration.targets import UPPER, misses
from tests.calibration.train import stored

ENOUGH = 45
"""Groups without a wrong verdict at which its upper bound falls below 8 %: 1 − .025^(1/45)."""


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return pl.read_csv(TABLE)


def test_every_case_that_was_run_has_a_line_for_every_number_of_seeds(table: pl.DataFrame) -> None:
    assert 1 - 0.025 ** (1 / ENOUGH) < UPPER < 1 - 0.025 ** (1 / (ENOUGH - 1))
    run = set(stored()["case"])
    assert len(run) >= 11
    assert run <= {*NAMES, DRAWN}
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


def test_every_line_keeps_the_targets_that_so_many_groups_can_keep(table: pl.DataFrame) -> None:
    for line in table.iter_rows(named=True):
        allowed = {"upper"} if line["groups"] < ENOUGH else set()
        assert set(misses(line)) <= allowed, line
