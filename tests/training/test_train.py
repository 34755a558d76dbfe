"""Training of one run: what it keeps, its history, repeatability, divergence."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from attnpipe.core.errors import UserError
from attnpipe.models.build import build_model
from attnpipe.pipeline.estimate import kept_checkpoints
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.history import HISTORY
from attnpipe.training.run import train

KINDS = ["mlp", "lstm", "simple", "additive", "scaled_dot"]


def test_checkpoints_are_untrained_each_kept_epoch_the_last_and_best(
    make_dataset, make_model, make_training
) -> None:
    spec = make_training(epochs=5, capture_every=2)
    run = train(make_dataset(), make_model(), spec, 7, name="m")
    assert list(run.checkpoints) == ["untrained", "epoch_002", "epoch_004", "epoch_005", "best"]
    assert kept_checkpoints(spec) == len(run.checkpoints)
    assert all(a.dtype == np.float32 for w in run.checkpoints.values() for a in w.values())


def test_best_is_the_epoch_with_the_lowest_validation_loss(
    make_dataset, make_model, make_training
) -> None:
    run = train(make_dataset(), make_model(), make_training(learning_rate=0.1), 7, name="m")
    losses = run.history.filter(pl.col("epoch") > 0)["validation_loss"].to_list()
    best = 1 + int(np.argmin(losses))
    assert run.outcome.best_epoch == best
    assert run.outcome.checkpoints == tuple(run.checkpoints)
    kept = run.checkpoints[f"epoch_{best:03d}"]
    assert all(np.array_equal(kept[k], v) for k, v in run.checkpoints["best"].items())
    assert any(not np.array_equal(run.checkpoints["untrained"][k], v) for k, v in kept.items())


@pytest.mark.parametrize("kind", ["mlp", "additive"])
def test_evaluation_is_the_best_checkpoint_on_the_whole_test_split(
    make_dataset, make_model, make_training, kind: str
) -> None:
    data, model = make_dataset(), make_model(kind)
    run = train(data, model, make_training(), 7, name="m")
    ends, table = data.splits["test"], run.evaluation
    module = build_model(model, data.features.shape[1], data.window, seed=0)
    best = {k: torch.from_numpy(np.array(v)) for k, v in run.checkpoints["best"].items()}
    module.load_state_dict(best)
    with torch.no_grad():
        outputs = module.eval()(torch.from_numpy(data.windows(ends))).double().numpy()
    want = outputs * data.target_scale + data.target_mean
    assert table.schema == EVALUATION.schema
    assert len(table) == len(ends)
    np.testing.assert_allclose(table["prediction"], want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(table["target"], data.target[ends])
    np.testing.assert_allclose(table["loss"], (want - data.target[ends]) ** 2, rtol=1e-3, atol=1e-4)
    assert table["trivial_loss"].is_finite().all()


def test_history_has_one_row_per_epoch_from_untrained_on(
    make_dataset, make_model, make_training
) -> None:
    seen = []
    run = train(make_dataset(), make_model(), make_training(), 7, name="m", progress=seen.append)
    history = run.history
    assert history.schema == HISTORY.schema
    assert history["epoch"].to_list() == [0, 1, 2, 3, 4]
    assert history["windows_seen"].to_list() == [0, 150, 300, 450, 600]
    assert history["train_loss"].null_count() == 1
    assert history["validation_loss"].null_count() == 0
    assert set(history["model"]) == {"m"}
    assert set(history["seed"]) == {7}
    assert [row["epoch"] for row in seen] == [1, 2, 3, 4]


def test_training_learns_the_series(make_dataset, make_model, make_training) -> None:
    run = train(make_dataset(), make_model("mlp"), make_training(epochs=15), 7, name="m")
    losses = run.history["validation_loss"]
    assert losses.min() < 0.93 * losses[0]
    assert run.history["train_loss"][-1] < run.history["train_loss"][1]


def test_learning_rate_falls_when_validation_stalls(
    make_dataset, make_model, make_training
) -> None:
    spec = make_training(epochs=8, learning_rate=0.1)
    rates = train(make_dataset(), make_model("mlp"), spec, 7, name="m").history["learning_rate"]
    assert rates[0] is None
    assert rates[1] == 0.1
    assert rates[8] < 0.1
    assert set(np.log2(rates[1:] / 0.1).round(9)) <= {0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0}


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_optimizers_train_and_weight_decay_tells_them_apart(
    make_dataset, make_model, make_training, optimizer: str, same_bits
) -> None:
    def run(decay: float):
        spec = make_training(optimizer=optimizer, weight_decay=decay, epochs=1)
        return train(make_dataset(), make_model("mlp"), spec, 7, name="m")

    assert run(0.0).outcome.outcome == "ok"
    assert not same_bits(run(0.0), run(0.3))


def test_adam_and_adamw_agree_without_decay_only(
    make_dataset, make_model, make_training, same_bits
) -> None:
    def run(optimizer: str, decay: float):
        spec = make_training(optimizer=optimizer, weight_decay=decay, epochs=1)
        return train(make_dataset(), make_model("mlp"), spec, 7, name="m")

    assert same_bits(run("adam", 0.0), run("adamw", 0.0))
    assert not same_bits(run("adam", 0.3), run("adamw", 0.3))


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bits_whatever_the_global_state(
    make_dataset, make_model, make_training, kind: str, same_bits
) -> None:
    changes = {"dropout": 0.2} if kind == "lstm" else {}

    def run(seed: int):
        model = make_model(kind, **changes)
        return train(make_dataset(), model, make_training(epochs=2), seed, name="m")

    threads = torch.get_num_threads()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = run(7)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(2)
    assert same_bits(first, run(7))
    assert not same_bits(first, run(8))


def test_validation_windows_do_not_touch_training(make_dataset, make_model, make_training) -> None:
    def weights(validation_windows: int | None):
        spec = make_training(epochs=1, validation_windows=validation_windows)
        run = train(make_dataset(), make_model(), spec, 7, name="m")
        return run.checkpoints["epoch_001"], run.history["validation_loss"][1]

    (some, loss), (every, other_loss) = weights(5), weights(None)
    assert all(np.array_equal(some[k], every[k]) for k in some)
    assert loss != other_loss


@pytest.mark.parametrize("clip_norm", [None, 1e9])
def test_diverged_run_ends_with_its_outcome_and_what_it_had(
    make_dataset, make_model, make_training, clip_norm
) -> None:
    data = make_dataset()
    target = data.target.copy()
    rare = data.splits["train"][::100]
    target[rare] = 3e38  # squared: infinite, once such a window is drawn
    spec = make_training(epochs=6, windows_per_epoch=64, clip_norm=clip_norm)
    run = train(replace(data, target=target), make_model(), spec, 3, name="lstm_x")
    assert run.outcome.outcome == "diverged"
    assert run.evaluation.equals(EVALUATION.frame())
    epoch = run.history["epoch"][-1]
    assert run.outcome.reason == (
        f"the training loss became NaN or infinite in epoch {epoch} (model 'lstm_x', seed 3): "
        "lower training.learning_rate or set training.clip_norm"
    )
    assert run.history["train_loss"][-1] is None
    assert run.history["validation_loss"][-1] is None
    expected = ["untrained", *[f"epoch_{e:03d}" for e in range(1, epoch)]]
    assert list(run.checkpoints) == expected + (["best"] if epoch > 1 else [])
    assert all(np.isfinite(a).all() for w in run.checkpoints.values() for a in w.values())
    assert run.outcome.parameters > 0


def test_too_high_a_learning_rate_diverges(make_dataset, make_model, make_training) -> None:
    spec = make_training(learning_rate=1e30, clip_norm=None)
    run = train(make_dataset(), make_model("mlp"), spec, 7, name="m")
    assert run.outcome.outcome == "diverged"
    assert "in epoch 1 (model 'm', seed 7)" in run.outcome.reason


def test_infinite_validation_loss_is_divergence_too(
    make_dataset, make_model, make_training
) -> None:
    data = make_dataset()
    target = data.target.copy()
    target[data.splits["validation"]] = 3e38
    run = train(replace(data, target=target), make_model(), make_training(), 7, name="m")
    assert run.outcome.reason.startswith("the validation loss became NaN or infinite in epoch 0")
    assert list(run.checkpoints) == ["untrained"]
    assert run.history.height == 1


def test_nan_in_the_data_is_an_error_of_the_user(make_dataset, make_model, make_training) -> None:
    data = make_dataset()
    features = data.features.copy()
    features[20, 1] = np.nan
    with pytest.raises(UserError, match="row 20 of the train split has a feature that is NaN"):
        train(replace(data, features=features), make_model(), make_training(), 7, name="m")
