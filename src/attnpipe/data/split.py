"""Training, validation and test: by time for one series, by sequence for many."""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from attnpipe.core.errors import UserError

TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, -1


def chronological(
    rows: int, validation_fraction: float, test_fraction: float, gap: int
) -> Int64[np.ndarray, " row"]:
    """Label the rows of one series: training, gap, validation, gap, test.

    Parameters
    ----------
    rows
        Length of the series.
    validation_fraction, test_fraction
        Shares of the rows; the gap before each is taken from its own share.
    gap
        Rows left unused before validation and before test. With ``window + lead`` no row
        is seen, as input or target, on both sides.
    """
    test = rows - round(rows * test_fraction)
    validation = test - round(rows * validation_fraction)
    labels = np.full(rows, TRAIN, dtype=np.int64)
    for start, stop, label in ((validation, test, VALIDATION), (test, rows, TEST)):
        labels[start:stop] = label
        labels[start : min(start + gap, stop)] = UNUSED
    return labels


def by_sequence(
    names: Sequence[str], validation_fraction: float, test_fraction: float
) -> Int64[np.ndarray, " sequence"]:
    """Label whole sequences, in the order of the SHA-256 of their names.

    The order is arbitrary but fixed: it follows neither time nor any seed, and a sequence
    added later moves few others.

    Raises
    ------
    UserError
        When there are fewer than three sequences, or none is left for training.
    """
    test, validation = (
        max(1, round(len(names) * share)) for share in (test_fraction, validation_fraction)
    )
    if len(names) < 3 or test + validation >= len(names):
        raise UserError(
            f"{len(names)} sequences cannot be split into training, validation and test with "
            f"data.validation_fraction={validation_fraction} and data.test_fraction="
            f"{test_fraction}; give more sequences (at least 3) or smaller fractions"
        )
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())
    labels = np.full(len(names), TRAIN, dtype=np.int64)
    labels[order[:test]] = TEST
    labels[order[test : test + validation]] = VALIDATION
    return labels
