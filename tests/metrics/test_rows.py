"""Which rows are valid, and why the others are not."""

import numpy as np
import pytest
from tests.metrics.cases import FIELDS, as_torch, make_block, one_row

from attnpipe.core.block import Block
from attnpipe.metrics.rows import REASONS, Rows, to_numpy

TOLERANCE = 1e-5
SEEN = [True, True, True, False]


def reason(weights, support=None, tolerance=TOLERANCE):
    rows = Rows.from_block(one_row(weights, support), tolerance)
    code = int(rows.reason[0, 0, 0])
    return REASONS[code - 1] if code else "valid"


@pytest.mark.parametrize(
    ("weights", "support", "expected"),
    [
        ([0.2, 0.3, 0.5, 0.0], SEEN, "valid"),
        ([0.2, 0.3, 0.5 + 0.9e-5, 0.0], SEEN, "valid"),
        ([0.2, 0.3, 0.5, 0.9e-5], SEEN, "valid"),
        ([0.2, 0.3, 0.5, -0.9e-5], SEEN, "valid"),
        ([0.2, 0.3, 0.5 + 1.1e-5, 0.0], SEEN, "sum"),
        ([0.2, 0.3, 0.5 - 1.1e-5, 0.0], SEEN, "sum"),
        ([0.0, 0.0, 0.0, 0.0], SEEN, "sum"),
        ([0.2, 0.3, 0.4, 0.1], SEEN, "off_support"),
        ([0.2, 0.3, 0.5, 0.1], SEEN, "off_support"),
        ([0.2, 0.3, 0.5 - 1.1e-5, 1.1e-5], SEEN, "off_support"),
        ([0.7, -0.2, 0.5, 0.0], SEEN, "negative"),
        ([0.7, -0.2, 0.4, 0.1], SEEN, "negative"),
        ([np.nan, 0.5, 0.5, 0.0], SEEN, "not_finite"),
        ([np.inf, -np.inf, 1.0, 0.0], SEEN, "not_finite"),
        ([0.2, 0.3, 0.5, np.nan], SEEN, "not_finite"),
        ([0.25, 0.25, 0.25, 0.25], [False] * 4, "padding"),
        ([np.nan, 0.0, 0.0, 0.0], [False] * 4, "padding"),
    ],
)
def test_reason(weights, support, expected):
    assert reason(weights, support) == expected


def test_tolerance_is_what_half_precision_needs():
    assert reason([0.5, 0.504], tolerance=1e-5) == "sum"
    assert reason([0.5, 0.504], tolerance=5e-3) == "valid"


def test_a_left_padded_query_that_sums_to_one_is_padding_all_the_same():
    assert reason([0.25] * 4, [False] * 4) == "padding"


def test_valid_rows_sum_to_one_exactly_and_invalid_rows_are_zero():
    block = make_block("padded")
    weights = block.weights * (1 + 5e-6)
    weights[0, 0, 3] *= 1.1
    rows = Rows.from_block(Block(weights, *list(vars(block).values())[1:]), TOLERANCE)
    total = rows.weights.sum(axis=-1)
    np.testing.assert_allclose(total[rows.valid], 1.0, rtol=1e-15)
    assert not np.any(total[~rows.valid])
    assert not rows.valid[0, 0, 3]
    assert rows.valid[1, 0, 3]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_inputs_are_not_changed(dtype):
    block = make_block("gaps")
    block = Block(block.weights.astype(dtype), *list(vars(block).values())[1:])
    before = {name: getattr(block, name).copy() for name in FIELDS}
    for name in FIELDS:
        getattr(block, name).flags.writeable = False
    rows = Rows.from_block(block, 1e-2)
    assert rows.weights.dtype == np.float64
    assert rows.ascending.shape == rows.weights.shape
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(block, name), before[name])


def test_torch_gives_the_same_reasons_without_changing_its_tensors():
    block = make_block("padded")
    block.weights[0, 0, 3, 0] = np.nan
    block.weights[1, 1, 4] *= 2
    tensors = as_torch(block)
    before = tensors.weights.clone()
    rows = Rows.from_block(tensors, TOLERANCE)
    expected = Rows.from_block(block, TOLERANCE)
    np.testing.assert_array_equal(to_numpy(rows.reason), expected.reason)
    np.testing.assert_array_equal(to_numpy(tensors.weights), to_numpy(before))


def test_support_of_another_shape_is_refused():
    block = make_block("full")
    wrong = Block(block.weights, np.ones((2, 1, 7), bool), *list(vars(block).values())[2:])
    with pytest.raises(ValueError, match=r"support \(2, 1, 7\) does not fit"):
        Rows.from_block(wrong, TOLERANCE)
