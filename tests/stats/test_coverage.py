"""The figures of `docs/statistics.md` hold what is claimed; those simulated anew are its own."""

from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from benchmarks.coverage import (
    DRAWS,
    ERRORS,
    INTERVALS,
    REPETITIONS,
    simulate,
    wilson_coverage,
)
from benchmarks.coverage_matching import LOGITS, MATCHING, MATCHING_AGAIN, heavy_tailed, rates
from benchmarks.coverage_random import RANDOM, RANDOM_AGAIN, random_rates
from benchmarks.coverage_random import REPETITIONS as RANDOM_REPETITIONS
from scipy.stats import norm, t

from attnpipe.stats.against_null import LEVEL

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
AGAIN, SLOW_AGAIN = 1_000, 250
SLOW = ("effect in skill units", "gate ", "shorter inputs", "the same of one run")
"""Quantities whose data sets are judged one by one, at some milliseconds each."""
CELLS = [line.strip("|").split("|") for line in PAGE.read_text().split("\n") if line[:1] == "|"]
ROWS = [[cell.strip() for cell in cells] for cells in CELLS]
FIGURES = {
    (row[0], int(row[2]), kind): (float(share), float(row[1]))
    for row in ROWS
    if row[0] in INTERVALS | ERRORS
    for kind, share in zip(DRAWS, row[3:], strict=True)
}
"""(quantity, replicates, data) → (share, nominal share)."""
SIZES = {name: of.sizes for name, of in (INTERVALS | ERRORS).items()}
BY_CASE, BY_RANDOM = (
    {
        tuple(row[:5]): [float(cell) for cell in row[5:]]
        for row in ROWS
        if row[0] in LOGITS and len(row) == cells
    }
    for cells in (9, 7)
)
SYMMETRIC = ("normal", "heavy")


def documented(name, kinds):
    return [FIGURES[name, n, kind] for n in SIZES[name] for kind in kinds]


def key(case):
    of = f"{case.seeds} × {case.heads}", str(case.keys), f"{case.width:g}"
    return (case.logits, f"{case.shared:.0%}", *of)


def random_key(case):
    of = str(case.seeds), str(case.keys), f"{case.width:g}"
    return (case.logits, f"{case.shared:.0%}", *of)


def test_the_page_has_every_quantity():
    assert set(FIGURES) == {
        (name, n, kind) for name, sizes in SIZES.items() for n in sizes for kind in DRAWS
    }
    assert set(BY_CASE) == {key(case) for case in MATCHING}
    assert set(BY_RANDOM) == {random_key(case) for case in RANDOM}


@pytest.mark.parametrize("name", INTERVALS | ERRORS)
def test_simulated_anew_the_figures_are_those_of_the_page(name):
    times = SLOW_AGAIN if name.startswith(SLOW) else AGAIN
    for n in SIZES[name]:
        for kind in DRAWS:
            share = FIGURES[name, n, kind][0]
            again = simulate(name, n, kind, times)
            both = (times * again + REPETITIONS * share) / (times + REPETITIONS)
            # Of a share near 0, at least as much as one data set more or less makes of it.
            spread = sqrt(max(both * (1 - both), 1 / times) * (1 / times + 1 / REPETITIONS))
            assert again == pytest.approx(share, abs=4 * spread), (n, kind)


@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_cover_data_with_symmetric_tails(name):
    for share, nominal in documented(name, SYMMETRIC):
        assert nominal - 0.02 <= share <= nominal + 0.035


@pytest.mark.parametrize("name", ERRORS)
def test_errors_on_data_with_symmetric_tails_are_at_most_those_allowed(name):
    for share, nominal in documented(name, SYMMETRIC):
        assert share <= nominal + 3.5 * sqrt(nominal * (1 - nominal) / REPETITIONS)


def test_skewed_seeds_are_covered_too_rarely_where_nothing_cancels():
    assert all(0.78 < share < 0.87 for share, _ in documented("mean over seeds, 95 %", ["skewed"]))
    assert all(0.73 < share < 0.82 for share, _ in documented("mean over seeds, 90 %", ["skewed"]))
    assert all(0.87 < share < 0.93 for share, _ in documented("seeds × units, 95 %", ["skewed"]))
    assert all(share > 0.1 for share, _ in documented("“beyond” at the margin", ["skewed"]))


def test_pairing_and_logarithms_repair_what_skew_breaks():
    assert all(share >= 0.95 for share, _ in documented("paired difference, 95 %", ["skewed"]))
    lognormal = documented("log-ratio of losses, 95 %", ["normal"])
    assert all(share >= 0.93 for share, _ in lognormal)


def test_wilson_covers_but_for_the_jumps_of_few_trials():
    rows = {int(row[0]): row[1:] for row in ROWS if row[0].isdigit()}
    for trials, shares in rows.items():
        exact = [wilson_coverage(trials, p) for p in (0.5, 0.8, 0.95)]
        assert [float(share) for share in shares] == pytest.approx(exact, abs=6e-4)
        assert min(exact) > 0.91


def test_independent_heads_are_seldom_called_alike_and_alike_heads_always():
    for case in MATCHING:
        _, _, by_p, above = BY_CASE[key(case)]
        if case.shared:
            assert above > {"normal": 0.95, "heavy": 0.9}[case.logits]
        else:
            limit = {"normal": 0.11, "heavy": 0.12}[case.logits]
            assert above <= limit
            assert by_p < (limit if case.heads == 1 or case.width == 0 else 0.45)


def test_heavy_tails_make_neither_null_err_more_often():
    for of, name, rows in ((MATCHING, key, BY_CASE), (RANDOM, random_key, BY_RANDOM)):
        for case in of:
            if case.logits == "heavy" and not case.shared:
                heavy, normal = rows[name(case)], rows[name(replace(case, logits="normal"))]
                assert heavy[-2:] == pytest.approx(normal[-2:], abs=0.035), case


def test_heavy_logits_are_of_student_t_at_the_same_variance():
    share = np.array([1e-6, 0.01, 0.3, 0.5, 0.8, 0.999])
    assert heavy_tailed(norm.ppf(share)) == pytest.approx(t(3).ppf(share) / sqrt(t(3).var()))


def test_the_null_of_random_logits_errs_as_rarely_as_said_unless_profiles_are_smooth():
    """Its keys are exchangeable, as are those of rough profiles, and no others."""
    for case in RANDOM:
        by_p, above = BY_RANDOM[random_key(case)]
        if case.shared:
            assert above > (0.55 if case.seeds == 2 else 0.95)
        elif case.width == 0:
            assert by_p <= LEVEL + 3 * sqrt(LEVEL * (1 - LEVEL) / RANDOM_REPETITIONS)
        else:
            assert LEVEL < by_p < 0.2
        assert above <= by_p


@pytest.mark.parametrize("case", RANDOM_AGAIN)
def test_random_logits_anew_are_those_of_the_page(case):
    times = 100
    for again, share in zip(random_rates(case, times), BY_RANDOM[random_key(case)], strict=True):
        spread = sqrt(max(share * (1 - share), 0.01) * (1 / times + 1 / RANDOM_REPETITIONS))
        assert again == pytest.approx(share, abs=4 * spread)


@pytest.mark.parametrize("case", MATCHING_AGAIN)
def test_matching_anew_is_that_of_the_page(case):
    found, times = rates(case, 40), 40
    likeness, null, by_p, above = BY_CASE[key(case)]
    assert (found.likeness, found.null) == pytest.approx((likeness, null), abs=0.06)
    for again, share in ((found.by_p, by_p), (found.above, above)):
        spread = sqrt(max(share * (1 - share), 0.01) * (1 / times + 1 / 200))
        assert again == pytest.approx(share, abs=4 * spread)
