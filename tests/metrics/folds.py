"""What contracts of folds do with a fold and its blocks."""

import numpy as np

from attnpipe.core.block import Block


def run(make, *blocks):
    fold = make()
    for one in blocks:
        fold.update(one)
    return fold


def assert_same(fold, other):
    a, b = fold.state(), other.state()
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_allclose(a[key], b[key], rtol=1e-12, atol=1e-12, err_msg=key)


def replaced(block, **changes):
    return Block(**{**vars(block), **changes})
