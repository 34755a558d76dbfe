"""The forecast task: items, losses, trivial predictors, and data it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from attnpipe.core.errors import UserError
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tasks.forecast import ForecastTask
from attnpipe.tasks.predict import predict
from attnpipe.tasks.task import Task


@pytest.fixture
def dataset(make_dataset):
    return make_dataset()


def test_it_is_a_task(dataset) -> None:
    assert isinstance(ForecastTask(dataset), Task)


def test_batch_holds_the_windows_asked_for_in_their_order(dataset) -> None:
    batch = ForecastTask(dataset).batch("validation", np.array([5, 2, 5]))
    ends = dataset.splits["validation"][[5, 2, 5]]
    for window, target, end in zip(batch.inputs, batch.targets, ends, strict=True):
        np.testing.assert_array_equal(window, dataset.features[end - 7 : end + 1])
        want = (dataset.target[end] - dataset.target_mean) / dataset.target_scale
        assert target.item() == pytest.approx(want, rel=1e-6)


def test_scaled_training_targets_have_mean_0_and_sd_1(dataset) -> None:
    task = ForecastTask(dataset)
    targets = task.batch("train", np.arange(task.count("train"))).targets.double()
    assert targets.mean().item() == pytest.approx(0, abs=1e-6)
    assert targets.std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_loss_is_the_squared_error_of_each_item(dataset) -> None:
    task = ForecastTask(dataset)
    batch = task.batch("train", np.arange(3))
    loss = task.loss(batch.targets + torch.tensor([0.0, 1.0, -2.0]), batch)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.0, 4.0]))


def test_scores_are_in_natural_units_against_the_hardest_trivial_predictor(dataset) -> None:
    task = ForecastTask(dataset)
    ends = dataset.splits["test"]
    outputs = np.linspace(-1, 1, len(ends), dtype=np.float32)
    table = task.scores("test", outputs)
    assert table.schema == EVALUATION.schema
    target = dataset.target[ends].astype(float)
    prediction = outputs.astype(float) * dataset.target_scale + dataset.target_mean
    np.testing.assert_allclose(table["prediction"], prediction)
    np.testing.assert_allclose(table["loss"], (prediction - target) ** 2)
    by_mean = (float(dataset.trivial["train_mean"][0]) - target) ** 2
    assert by_mean.mean() < (target**2).mean()  # the mean is harder to beat than 0 here
    np.testing.assert_allclose(table["trivial_loss"], by_mean, rtol=1e-6)
    assert table["item"].to_list() == list(range(len(ends)))
    assert table["unit"].to_list() == [f"block {i // 20}" for i in range(len(ends))]
    assert set(table["sequence"]) == {"series"}


def test_harder_trivial_predictor_changes_with_the_data(dataset) -> None:
    ends = dataset.splits["test"]
    perfect = dataset.target.copy()
    perfect[ends[0]] += 2.0
    better = replace(dataset, trivial={**dataset.trivial, "oracle": perfect})
    task = ForecastTask(better)
    table = task.scores("test", np.zeros(len(ends), dtype=np.float32))
    assert table["trivial_loss"].to_list() == [4.0] + [0.0] * (len(ends) - 1)


def test_only_the_test_split_has_scores(dataset) -> None:
    with pytest.raises(ValueError, match="not for 'validation'"):
        ForecastTask(dataset).scores("validation", np.zeros(3, dtype=np.float32))


def test_predict_gives_all_items_in_order_in_evaluation_mode(dataset, monkeypatch) -> None:
    monkeypatch.setattr("attnpipe.tasks.predict.BATCH", 7)
    task = ForecastTask(dataset)

    class LastValue(torch.nn.Module):
        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            assert not self.training
            assert not torch.is_grad_enabled()
            return windows[:, -1, 0]

    module = LastValue()
    want = dataset.features[dataset.splits["test"], 0]
    np.testing.assert_array_equal(predict(task, module, "test"), want)
    some = np.array([9, 0, 3])
    np.testing.assert_array_equal(predict(task, module, "test", some), want[some])


def broken(dataset, what: str, row: int, value: float):
    array = getattr(dataset, what).copy()
    array[row] = value
    return replace(dataset, **{what: array})


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("what", ["features", "target"])
def test_data_that_are_not_numbers_are_refused_by_row(dataset, what, value, split) -> None:
    row = int(dataset.splits[split][4])
    with pytest.raises(UserError, match=rf"^row {row} of the {split} split has a {what[:6]}"):
        ForecastTask(broken(dataset, what, row, value))


def test_rows_that_no_window_uses_may_hold_anything(dataset) -> None:
    between = int(dataset.splits["train"][-1]) + 1
    assert between < dataset.splits["validation"][0] - dataset.window
    ForecastTask(broken(dataset, "features", between, np.nan))
    first_of_first_window = 0
    with pytest.raises(UserError, match="row 0 of the train split has a feature"):
        ForecastTask(broken(dataset, "features", first_of_first_window, np.nan))
    ForecastTask(broken(dataset, "target", 0, np.nan))


def test_empty_split_and_constant_target_are_refused(dataset) -> None:
    empty = {**dataset.splits, "test": np.zeros(0, dtype=np.int64)}
    with pytest.raises(UserError, match="the test split holds no window"):
        ForecastTask(replace(dataset, splits=empty))
    for scale in (0.0, float("nan")):
        with pytest.raises(UserError, match="choose a target that varies"):
            ForecastTask(replace(dataset, target_scale=scale))
