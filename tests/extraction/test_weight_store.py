"""What is stored of the weights: the rows that are asked for, and what was visible."""

import numpy as np
import pytest
import torch
from tests.attention.kernel.reference import draw, make

from attnpipe.attention.adapter.scores import Pattern
from attnpipe.extraction.text.observers import LEAST, WeightStore

LENGTH = 150  # more than the rows that are held at a time
STEP = np.arange(LENGTH)
LAG = STEP[:, None] - STEP


def layer(spread: float, window: int | None = None):
    visible = LAG >= 0
    if window is not None:
        visible &= window > LAG
    scores = make(
        draw(2, queries=LENGTH, keys=LENGTH, spread=spread),
        visible,
        expected=Pattern(causal=True, window=window),
        sample=5,
    ).scores
    for positions in (scores.query_positions, scores.key_positions):
        positions -= positions[0].item()
    return scores


@pytest.mark.parametrize("window", [None, 40])
def test_the_same_is_kept_of_scores_and_of_blocks(window) -> None:
    scores = layer(1.0, window)
    stores = [WeightStore({5: LENGTH, 6: LENGTH}, {6}) for _ in range(2)]
    stores[0].attend(0, scores)
    for start in range(0, LENGTH, 64):
        stores[1].observe(0, scores.block(slice(start, start + 64)))
    weights = scores.weights(slice(0, LENGTH)).numpy()
    for store in stores:
        for place, item in enumerate((5, 6)):
            np.testing.assert_allclose(store.last(item)[0], weights[place, :, -1], 1e-6)
        np.testing.assert_allclose(store.full(6)[0], weights[1], 1e-6)
        with pytest.raises(ValueError, match="at least one array"):
            store.full(5)


@pytest.mark.parametrize("window", [None, 40])
def test_only_what_was_not_visible_is_0(window) -> None:
    scores = layer(300.0, window)  # most weights vanish in float32
    assert (scores.weights(slice(LENGTH - 1, LENGTH)) == 0).sum() > LENGTH
    store = WeightStore({5: LENGTH, 6: LENGTH}, {6})
    store.attend(0, scores)
    last = np.flatnonzero(LAG[-1] < (window or LENGTH))
    for item in (5, 6):
        seen = store.last(item) > 0
        assert seen[..., last].all()
        assert seen.sum() == seen.shape[1] * len(last)
    full = store.full(6)
    assert np.array_equal(full[0, 0] > 0, scores.support(slice(0, LENGTH))[0].numpy())
    assert np.float32(LEAST) == full[full > 0].min() == np.finfo(np.float32).smallest_subnormal
    torch.testing.assert_close(
        torch.from_numpy(full.sum(-1)), torch.ones(full.shape[:-1]), rtol=1e-6, atol=1e-6
    )
