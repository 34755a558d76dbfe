"""Foretelling tokens: losses, scores and the trivial predictor."""

from pathlib import Path

import numpy as np
import pytest
import torch

from attnpipe.data.induction import prepare
from attnpipe.schema.data import InductionData
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tasks.build import task_of
from attnpipe.tasks.next_token import UNSCORED
from attnpipe.tasks.task import Task

SPEC = InductionData(
    kind="induction", name="r", window=12, period=[3, 6], vocabulary=7, lead=0,
    train_windows=20, validation_windows=8, test_windows=9, probe_samples=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return prepare(SPEC, cache=Path())


@pytest.fixture(scope="module")
def task(data):
    return task_of(data)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def test_is_a_task_that_yields_tokens_and_the_next_ones(task, data) -> None:
    assert isinstance(task, Task)
    batch = task.batch("validation", np.array([3, 0]))
    rows = data.splits["validation"][[3, 0]]
    assert batch.inputs.tolist() == data.tokens[rows, :-1].tolist()
    scored = data.scored[rows]
    assert (batch.targets.numpy()[scored] == data.tokens[rows, 1:][scored]).all()
    assert (batch.targets.numpy()[~scored] == UNSCORED).all()
    probe = task.probe(np.array([2]))
    assert probe.inputs.tolist() == data.tokens[data.probe[[2]], :-1].tolist()


def test_loss_is_the_mean_over_scored_tokens(task, data) -> None:
    batch = task.batch("test", np.arange(9))
    logits = np.random.default_rng(0).standard_normal((9, 12, 7))
    found = task.loss(torch.from_numpy(logits), batch)
    p = log_softmax(logits)
    for row, item in enumerate(data.splits["test"]):
        places = np.flatnonzero(data.scored[item])
        expected = -np.mean([p[row, q, data.tokens[item, q + 1]] for q in places])
        assert found[row].item() == pytest.approx(expected, rel=1e-12)


def test_scores_say_what_was_foretold(task, data) -> None:
    items = data.splits["test"]
    perfect = np.full((9, 12, 7), -20.0, dtype=np.float32)
    np.put_along_axis(perfect, data.tokens[items, 1:, None].astype(np.int64), 20.0, axis=2)
    table = task.scores("test", perfect)
    assert table.schema == EVALUATION.schema
    assert table["correct"].to_list() == [1.0] * 9
    assert table["target"].null_count() == 9
    assert table["loss"].max() < 1e-12
    assert table["trivial_loss"].to_list() == pytest.approx([np.log(7)] * 9)
    assert table["unit"].n_unique() == 9
    worst = task.scores("test", -perfect)
    assert worst["correct"].to_list() == [0.0] * 9
    flat = task.scores("test", np.zeros_like(perfect))
    assert flat["loss"].to_list() == pytest.approx(flat["trivial_loss"].to_list())
