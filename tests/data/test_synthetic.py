"""Synthetic cases: each generator does what its docstring says."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from attnpipe.data.dataset import SPLITS
from attnpipe.data.synthetic.cases import CASES, MARGIN, NOISE, PAIRS
from attnpipe.data.synthetic.prepare import prepare
from attnpipe.diagnosis.verdicts.table import Name
from attnpipe.schema.data import SyntheticData

WINDOWS, STEPS = 3000, 16
ITEMS = np.arange(WINDOWS)


def drawn(case: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = CASES[case].draw(np.random.default_rng(5), WINDOWS, STEPS)
    assert x.shape == (WINDOWS, STEPS, CASES[case].features)
    assert y.shape == (WINDOWS,)
    assert np.isfinite(x).all()
    return x, y


def is_noise(rest: np.ndarray) -> None:
    """Require independent normal deviations of sd 0.1; five standard errors."""
    assert abs(rest.mean()) < 5 * NOISE / np.sqrt(len(rest))
    assert rest.std() == pytest.approx(NOISE, abs=5 * NOISE / np.sqrt(2 * len(rest)))


def is_standard_normal(x: np.ndarray) -> None:
    assert abs(x.mean()) < 5 / np.sqrt(x.size)
    assert x.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * x.size))


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("lag", lambda x: x[:, STEPS - 6, 0]),
        ("last", lambda x: x[:, -1, 0]),
        ("mean", lambda x: x[:, :, 0].sum(1) / np.sqrt(STEPS)),
    ],
)
def test_the_target_is_what_stands_at_fixed_steps(case, told) -> None:
    x, y = drawn(case)
    is_standard_normal(x)
    is_noise(y - told(x))


def test_selcopy_marks_one_step_whose_value_is_the_target() -> None:
    x, y = drawn("selcopy")
    assert set(np.unique(x[..., 1])) == {0.0, 1.0}
    assert (x[..., 1].sum(1) == 1).all()
    marked = x[..., 1].argmax(1)
    assert set(marked) == set(range(STEPS))  # any step, the last one too
    is_standard_normal(x[..., 0])
    is_noise(y - (x[..., 0] * x[..., 1]).sum(1))


def holders(x: np.ndarray) -> np.ndarray:
    """Return which earlier steps hold the key that the last step asks for."""
    return (x[:, :-1, :PAIRS] == x[:, -1:, :PAIRS]).all(-1)


def test_recall_asks_for_a_key_that_one_earlier_step_has() -> None:
    x, y = drawn("recall")
    np.testing.assert_allclose(np.linalg.norm(x[..., :PAIRS], axis=-1), 1.0)
    found = holders(x)
    assert (found.sum(1) == 1).all()
    asked = found.argmax(1)
    assert set(asked) == set(range(STEPS - 1))
    assert not x[:, -1, PAIRS].any()  # the question holds no value
    is_standard_normal(x[:, :-1, PAIRS])
    is_noise(y - x[ITEMS, asked, PAIRS])


def test_random_has_nothing_to_do_with_its_inputs() -> None:
    x, y = drawn("random")
    is_standard_normal(x)
    is_standard_normal(y)
    correlation = (x * y[:, None, None]).mean(0)
    assert np.abs(correlation).max() < 5 / np.sqrt(WINDOWS)


def test_sink_opens_with_an_empty_step_and_half_of_the_questions_have_no_answer() -> None:
    x, y = drawn("sink")
    flag = x[..., PAIRS + 1]
    assert (flag[:, 0] == 1).all()
    assert not flag[:, 1:].any()
    assert not x[:, 0, : PAIRS + 1].any()
    np.testing.assert_allclose(np.linalg.norm(x[:, 1:, :PAIRS], axis=-1), 1.0)
    found = holders(x)
    assert set(found.sum(1)) == {0, 1}
    answered = found.any(1)
    assert answered.mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(WINDOWS))
    asked = found.argmax(1)
    assert set(asked[answered]) == set(range(1, STEPS - 1))  # never the empty step
    is_noise((y - x[ITEMS, asked, PAIRS])[answered])
    is_noise(y[~answered])


def test_lengths_pads_the_old_end_and_asks_for_a_step_that_exists() -> None:
    x, y = drawn("lengths")
    exists = x[..., CASES["lengths"].mask]
    assert set(np.unique(exists)) == {0.0, 1.0}
    assert (np.diff(exists, axis=1) >= 0).all()  # padding, then steps
    assert set(exists.sum(1)) == set(range(2, STEPS + 1))
    assert not x[exists == 0].any()
    found = holders(x) & (exists[:, :-1] == 1)
    assert (found.sum(1) == 1).all()
    is_noise(y - x[ITEMS, found.argmax(1), PAIRS])


def test_alone_has_one_step_that_exists() -> None:
    x, y = drawn("alone")
    assert (x[:, -1, 2] == 1).all()
    assert not x[:, :-1].any()
    is_noise(y - x[:, -1, 0])


def test_margin_asks_attention_for_two_percent_of_what_can_be_known() -> None:
    x, y = drawn("margin")
    found = holders(x)
    assert (found.sum(1) == 1).all()
    own, asked = x[:, -1, PAIRS], x[ITEMS, found.argmax(1), PAIRS]
    is_standard_normal(x[..., PAIRS])  # the question holds a value of its own
    is_noise(y - np.sqrt(0.98) * own - np.sqrt(0.02) * asked)
    # Who cannot recall loses the variance of the second part, of 1 that can be known.
    error = ((y - np.sqrt(0.98) * own) ** 2 - NOISE**2).mean()
    spread = np.sqrt(2) * (MARGIN + NOISE**2) / np.sqrt(WINDOWS)  # of a mean of squares
    assert error == pytest.approx(0.02, abs=5 * spread)
    assert MARGIN == 0.02


@pytest.mark.parametrize("case", CASES)
def test_seeds_draw_the_case_and_its_answer_is_a_diagnosis(case) -> None:
    draw = CASES[case].draw
    one, other = (draw(np.random.default_rng(seed), 4, STEPS) for seed in (1, 2))
    again = draw(np.random.default_rng(1), 4, STEPS)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[1], other[1])
    assert CASES[case].answer in get_args(Name)


def test_prepared_windows_are_those_drawn_each_a_sequence_and_unit_of_its_own() -> None:
    spec = SyntheticData(
        kind="synthetic", name="c", case="recall", window=STEPS, lead=0, train_windows=30,
        validation_windows=12, test_windows=9, probe_samples=6, data_seed=4,
    )  # fmt: skip
    data = prepare(spec, cache=Path())
    x, y = CASES["recall"].draw(np.random.default_rng(4), 51, STEPS)
    ends = np.concatenate([data.splits[split] for split in SPLITS])
    assert [len(data.splits[split]) for split in SPLITS] == [30, 12, 9]
    np.testing.assert_allclose(data.windows(ends), x, rtol=1e-6)
    np.testing.assert_allclose(data.target[ends], y, rtol=1e-6)
    assert len(np.unique(data.units)) == len(np.unique(data.sequences)) == 9
    assert set(data.probe) <= set(data.splits["validation"])
    assert data.target_mean == pytest.approx(y[:30].mean())
    assert data.target_scale == pytest.approx(y[:30].std())
    assert data.description["right_diagnosis"] == "CONTENT-BENEFICIAL"
