"""Targets of other items: permuted within a split, everything else as it was."""

from pathlib import Path

import numpy as np
import pytest
import torch

from attnpipe.data.induction import prepare
from attnpipe.schema.data import InductionData
from attnpipe.tasks.build import task_of
from attnpipe.tasks.shuffled_labels import ShuffledLabels
from attnpipe.tasks.task import Examples

SPEC = InductionData(
    kind="induction", name="r", window=12, period=[3, 6], vocabulary=7, lead=0,
    train_windows=20, validation_windows=8, test_windows=9, probe_samples=4,
)  # fmt: skip


@pytest.fixture(params=["windows", "tokens"])
def task(request, make_dataset):
    return task_of(make_dataset() if request.param == "windows" else prepare(SPEC, cache=Path()))


def whole(task, split):
    return task.batch(split, np.arange(task.count(split)))


def rows(tensor):
    return sorted(map(repr, tensor.tolist()))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_targets_are_a_permutation_and_inputs_are_left(task, split) -> None:
    shuffled = ShuffledLabels(task, 3)
    assert isinstance(shuffled, Examples)
    assert shuffled.count(split) == task.count(split)
    before, after = whole(task, split), whole(shuffled, split)
    assert torch.equal(after.inputs, before.inputs)
    assert rows(after.targets) == rows(before.targets)
    moved = (after.targets != before.targets).reshape(len(after.targets), -1).any(1)
    assert moved.float().mean() > 0.7


def test_an_item_has_the_same_target_in_every_batch(task) -> None:
    shuffled = ShuffledLabels(task, 3)
    some, targets = np.array([5, 2, 7]), whole(shuffled, "train").targets
    assert torch.equal(shuffled.batch("train", some).targets, targets[some])


def test_the_seed_decides(task) -> None:
    one, same, other = (whole(ShuffledLabels(task, s), "train").targets for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_loss_is_the_tasks_own(task) -> None:
    shuffled = ShuffledLabels(task, 3)
    batch = whole(shuffled, "validation")
    shape = batch.targets.shape if batch.targets.ndim == 1 else (*batch.targets.shape, 7)
    outputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shuffled.loss(outputs, batch), task.loss(outputs, batch))


def test_the_test_split_has_no_shuffled_labels(task) -> None:
    with pytest.raises(KeyError):
        ShuffledLabels(task, 3).batch("test", np.array([0]))
