"""Layers of every kind: both engines against the plain folds on exact weights."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.attention.kernel.reference import (
    OPTIONS,
    Case,
    assert_alike,
    draw,
    exact,
    exact_weights,
    make,
)

from attnpipe.attention.adapter.scores import Pattern
from attnpipe.attention.kernel.engine import Kind
from attnpipe.attention.kernel.fused import FusedBattery

STEP = np.arange(90)
LAG = STEP[:, None] - STEP
KINDS: tuple[Kind, ...] = ("native", "array")
RATIOS = ("recent_distant_ratio", "recency_contrast")


def padded(real: np.ndarray, side: np.ndarray) -> Case:
    return make(draw(2), side & real[:, None, :], expected=Pattern(causal=True), real=real)


def whole_numbers(spread: int) -> Case:
    """Scores are whole numbers up to about 64 · spread: float32 has them exactly."""
    made = torch.Generator().manual_seed(2)
    q, k = (torch.randint(-3, 4, (1, 2, 90, 8), generator=made).float() for _ in range(2))
    return make((q * spread, k, torch.randn(1, 2, 90, 8, generator=made)), scale=1.0)


CASES: dict[str, Callable[[], Case]] = {
    "causal": lambda: make(draw()),
    "long": lambda: make(draw(heads=1, kv_heads=1, queries=1100, keys=1100)),
    "several samples": lambda: make(draw(3, seed=1)),
    "bidirectional": lambda: make(draw(), LAG > -99),
    "window": lambda: make(
        draw(), (LAG >= 0) & (LAG < 40), expected=Pattern(causal=True, window=40)
    ),
    "window both ways": lambda: make(draw(), abs(LAG) < 35, expected=Pattern(window=35)),
    "one key": lambda: make(draw(), LAG == 0, expected=Pattern(causal=True, window=1)),
    "padding right": lambda: padded(np.array([[90], [50]]) > STEP, LAG >= 0),
    "padding left": lambda: padded(np.array([STEP >= 0, STEP >= 30]), LAG >= 0),
    "all padding": lambda: padded(np.array([STEP >= 0, STEP < 0]), LAG >= 0),
    "grouped heads": lambda: make(draw(heads=6)),
    "one key head": lambda: make(draw(heads=4, kv_heads=1)),
    "soft cap": lambda: make(draw(spread=6), softcap=3.0),
    "cross": lambda: make(draw(queries=33, keys=70), np.ones((33, 70), bool)),
    "cache": lambda: make(draw(queries=1, keys=70), np.ones((1, 70), bool)),
    "equal scores": lambda: make((torch.zeros(1, 2, 90, 8), *draw()[1:])),
    "nearly equal": lambda: make(draw(spread=1e-3)),
    "peaked": lambda: make(draw(spread=30)),
    "ties": lambda: whole_numbers(1),
    "huge range": lambda: whole_numbers(1000),
}
LOSES_SMALL = ("peaked", "huge range", "ties")
"""Quarters of these rows may be empty in float32."""


def fused(case: Case, kind: Kind) -> tuple[FusedBattery, torch.Tensor | None]:
    battery = FusedBattery(OPTIONS, kind)
    return battery, battery.attend(5, case.scores)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_folds_and_output_are_those_of_exact_weights(name: str, kind: Kind) -> None:
    case = CASES[name]()
    assert FusedBattery.supports(case.scores)
    battery, context = fused(case, kind)
    close = 1e-4 if name == "peaked" else 1e-5  # its scores of 100 have an error of 1e-5
    assert_alike(battery.folds[5], exact(case), close, RATIOS if name in LOSES_SMALL else ())
    v = np.repeat(case.scores.v.numpy(), case.scores.q.shape[1] // case.scores.v.shape[1], axis=1)
    assert context is not None
    np.testing.assert_allclose(context.numpy(), exact_weights(case) @ v, 0, close)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_taken_at_its_word(dtype: torch.dtype, kind: Kind) -> None:
    q, k, v = (x.to(dtype) for x in draw(spread=2))
    case = make((q, k, v))
    battery, context = fused(case, kind)
    assert_alike(battery.folds[5], exact(case))
    assert context is not None
    np.testing.assert_allclose(context.numpy(), exact_weights(case) @ v.double().numpy(), 0, 1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_no_number_is_counted_and_left_out(bad: float, kind: Kind) -> None:
    q, k, v = draw()
    q[0, 1, 20] = bad
    case = make((q, k, v))
    battery, context = fused(case, kind)
    assert_alike(battery.folds[5], exact(case))
    assert battery.folds[5].validity.excluded("not_finite").tolist() == [[0], [1]]
    assert context is not None
    lost = torch.zeros(1, 2, 90, dtype=torch.bool)
    lost[0, 1, 20] = True
    assert torch.equal(context.isnan().all(-1), lost)
    assert torch.equal(context.isnan().any(-1), lost)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_no_number_spoils_the_rows_that_see_it(kind: Kind) -> None:
    q, k, v = draw()
    k[0, 0, 80] = np.nan
    case = make((q, k, v))
    battery, _ = fused(case, kind)
    assert_alike(battery.folds[5], exact(case))
    assert battery.folds[5].validity.excluded("not_finite").tolist() == [[10], [0]]


@pytest.mark.parametrize("kind", KINDS)
def test_batches_add_up_and_can_be_stored_and_merged(kind: Kind) -> None:
    first, second = make(draw(2), sample=0), make(draw(1, seed=7), sample=2)
    both = tuple(torch.cat(x) for x in zip(draw(2), draw(1, seed=7), strict=True))
    want = exact(make((both[0], both[1], both[2]), sample=0))
    battery = FusedBattery(OPTIONS, kind)
    for case in (first, second):
        battery.attend(5, case.scores)
    assert_alike(battery.folds[5], want)
    merged, other = (fused(case, kind)[0].folds[5] for case in (first, second))
    merged = type(merged).from_state(merged.state())
    merged.merge(type(other).from_state(other.state()))
    assert_alike(merged, battery.folds[5], 1e-12)


BEYOND = (LAG >= -1, Pattern(causal=True))


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_fused_is_shown_to_the_plain_folds(kind: Kind) -> None:
    bias = torch.randn(1, 2, 90, 90, generator=torch.Generator().manual_seed(1))
    holes = (LAG >= 0) & (LAG != 2)
    double = tuple(x.double() for x in draw())
    cases = {
        "bias": make(draw(), bias=bias),
        "holes": make(draw(), holes, expected=Pattern(causal=True)),
        "float64": make((double[0], double[1], double[2])),
    }
    for name, case in cases.items():
        assert not FusedBattery.supports(case.scores), name
        battery, context = fused(case, kind)
        assert context is None, name
        assert_alike(battery.folds[5], exact(case))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_see_too_much_are_counted_as_such(kind: Kind) -> None:
    case = make(draw(), LAG >= -1, expected=Pattern(causal=True))
    battery, context = fused(case, kind)
    assert context is None
    assert battery.folds[5].validity.excluded("off_support").tolist() == [[89], [89]]
    assert battery.folds[5].validity.valid.tolist() == [[1], [1]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_output_is_left_to_the_model_where_it_learns(kind: Kind) -> None:
    q, k, v = draw()
    case = make((q.requires_grad_(), k, v))
    battery, context = fused(case, kind)
    assert context is None
    with torch.no_grad():
        again, context = fused(case, kind)
    assert context is not None
    assert_alike(battery.folds[5], again.folds[5], 1e-12)
    assert_alike(battery.folds[5], exact(replace(case, scores=replace(case.scores, q=q.detach()))))
