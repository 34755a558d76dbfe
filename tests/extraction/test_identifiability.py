"""What of a row the values cannot tell, by least squares with numpy."""

import numpy as np
import pytest
import torch

from attnpipe.core.block import Block
from attnpipe.extraction.identifiability import NullShare


def block(weights, values, support=None, queries=None) -> Block:
    _, samples, n_queries, keys = weights.shape
    every = np.ones((1, 1, keys), dtype=bool) if support is None else support
    positions = torch.arange(keys - n_queries, keys) if queries is None else queries
    return Block(
        torch.from_numpy(weights), torch.from_numpy(every), positions, torch.arange(keys),
        torch.arange(samples), torch.from_numpy(values),
    )  # fmt: skip


def share(row: np.ndarray, values: np.ndarray) -> float:
    """Residual of p − 1/n after a fit by the columns of [V, 1], squared, over its own square."""
    away = row - 1 / len(row)
    told = np.column_stack([values, np.ones(len(row))])
    fit, *_ = np.linalg.lstsq(told, away, rcond=None)
    return float(((away - told @ fit) ** 2).sum() / (away**2).sum())


def seen(made: Block, layer: int = 0) -> list[float | None]:
    observer = NullShare()
    observer.observe(layer, made)
    return observer.means()[layer]


def test_mean_over_samples_and_queries_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(12), (2, 5, 3))
    values = rng.normal(size=(2, 5, 12, 4))
    expected = [
        np.mean([share(weights[h, s, q], values[h, s]) for s in range(5) for q in range(3)])
        for h in range(2)
    ]
    assert seen(block(weights, values)) == pytest.approx(expected)


def test_a_random_row_has_about_the_share_of_the_dimensions_that_are_left() -> None:
    rng = np.random.default_rng(1)
    found = seen(block(rng.dirichlet(np.ones(50), (1, 64, 1)), rng.normal(size=(1, 64, 50, 16))))
    assert found == [pytest.approx((50 - 1 - 16) / (50 - 1), abs=0.03)]  # .67


def test_rows_that_the_values_tell_have_none() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(1, 3, 8, 10))  # more dimensions than keys: one mean, one row
    assert seen(block(rng.dirichlet(np.ones(8), (1, 3, 1)), values)) == [pytest.approx(0, abs=1e-9)]


def test_only_keys_of_the_support_and_the_widest_rows_count() -> None:
    rng = np.random.default_rng(3)
    support = np.tri(6, dtype=bool)[None]
    weights = rng.dirichlet(np.ones(6), (1, 4, 6)) * support
    weights /= weights.sum(-1, keepdims=True)
    values = rng.normal(size=(1, 4, 6, 2))
    expected = np.mean([share(weights[0, s, -1], values[0, s]) for s in range(4)])
    made = block(weights, values, support, torch.arange(6))
    assert seen(made) == [pytest.approx(expected)]


def test_heads_share_values_in_groups_and_uniform_rows_have_no_share() -> None:
    rng = np.random.default_rng(4)
    weights = rng.dirichlet(np.ones(6), (4, 2, 1))
    weights[3] = 1 / 6
    values = rng.normal(size=(2, 2, 6, 2))
    found = seen(block(weights, values))
    for head in range(3):
        expected = np.mean([share(weights[head, s, 0], values[head // 2, s]) for s in range(2)])
        assert found[head] == pytest.approx(expected)
    assert found[3] is None


def test_blocks_without_values_tell_nothing() -> None:
    observer = NullShare()
    rows = torch.full((1, 1, 1, 3), 1 / 3)
    support = torch.ones(1, 1, 3, dtype=torch.bool)
    at = torch.arange(3)
    observer.observe(0, Block(rows, support, at[-1:], at, torch.arange(1)))
    assert observer.means() == {}
