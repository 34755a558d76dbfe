"""Losses drawn towards the model's, so that the benefit is exactly δ."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.calibration.tabulate import at_margin, to_margin

from attnpipe.io.tensors import write_tensors

SEEDS, ITEMS, DELTA = 10, 6, 0.02
MEANS = {"model": 0.1, "none": 0.7, "uniform": 0.5, "static": 0.3, "trivial": 1.1}


@pytest.fixture
def chunks(tmp_path: Path) -> list[Path]:
    """Two chunks, of ten seeds and of twenty, whose arms lose different amounts."""
    paths = []
    for number, tens in enumerate((1, 2)):
        rng = np.random.default_rng(number)
        arrays = {
            name: (mean + 0.1 * number + rng.uniform(0, 0.2, (SEEDS * tens, ITEMS))).astype("f4")
            for name, mean in MEANS.items()
        }
        paths.append(tmp_path / f"groups_{number}.safetensors")
        write_tensors(paths[-1], arrays, {})
        looks = pl.DataFrame({"seed": range(SEEDS * tens)})
        looks.write_parquet(paths[-1].with_suffix(".parquet"))
    return paths


def test_over_all_chunks_together_each_arm_loses_exactly_delta_of_the_skill(
    chunks: list[Path],
) -> None:
    factors = to_margin(chunks, DELTA)
    groups = [group.losses for path in chunks for group in at_margin(path, 5, factors)]
    assert len(groups) == 6

    def mean(name: str, of: list[dict[str, np.ndarray]]) -> float:
        return float(np.concatenate([losses[name] for losses in of]).mean())

    skill = mean("trivial", groups) - mean("model", groups)
    for arm in ("none", "uniform"):
        assert mean(arm, groups) - mean("model", groups) == pytest.approx(DELTA * skill)
        first = mean(arm, groups[:2]) - mean("model", groups[:2])  # of one chunk it may deviate
        assert abs(first - DELTA * skill) > 0.01 * DELTA * skill


def test_one_factor_draws_all_seeds_and_items_and_nothing_else_changes(chunks: list[Path]) -> None:
    factors = to_margin(chunks, DELTA)
    for path in chunks:
        plain = list(at_margin(path, 10, dict.fromkeys(factors, 1.0)))
        for own, drawn in zip(plain, at_margin(path, 10, factors), strict=True):
            for arm, factor in factors.items():
                lost = own.losses[arm] - own.losses["model"]
                np.testing.assert_allclose(
                    drawn.losses[arm] - drawn.losses["model"], factor * lost, atol=1e-12
                )
            for name in ("model", "static", "trivial"):
                np.testing.assert_array_equal(drawn.losses[name], own.losses[name])
