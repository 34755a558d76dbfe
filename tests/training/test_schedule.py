"""Warm-up and cosine, step by step."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.optim.optimizer import register_optimizer_step_pre_hook

from attnpipe.training.fit import fit
from attnpipe.training.run import train
from attnpipe.training.schedule import learning_rate
from attnpipe.training.seeds import Seeds


def torch_s_own(rate: float, warmup: int, end: int, steps: int) -> list[float]:
    """Learning rates of torch's schedulers, one after the other."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    rise = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / warmup))
    rates = []
    for _ in range(warmup):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        rise.step()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, end - warmup)
    while len(rates) < steps:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        fall.step()
    return rates


def test_it_is_that_of_torch_s_schedulers(make_training) -> None:
    spec = make_training(schedule="cosine", warmup_steps=10, decay_steps=60)
    found = [learning_rate(spec, step, 999) for step in range(60)]
    np.testing.assert_allclose(found, torch_s_own(0.01, 10, 60, 60), rtol=1e-9, atol=1e-12)
    assert max(found) == 0.01
    assert learning_rate(spec, 75, 999) == 0.0


def test_without_an_end_of_its_own_it_ends_with_the_training(make_training) -> None:
    spec = make_training(schedule="cosine")
    assert learning_rate(spec, 0, 40) == 0.01
    assert learning_rate(spec, 20, 40) == pytest.approx(0.005)
    assert 0 < learning_rate(spec, 39, 40) < 1e-4


def test_every_step_of_a_training_has_its_rate(make_dataset, make_model, make_training) -> None:
    from attnpipe.models.build import build_model
    from attnpipe.tasks.forecast import ForecastTask

    seen = []
    handle = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.append(optimizer.param_groups[0]["lr"])
    )
    data = make_dataset()
    spec = make_training(schedule="cosine", warmup_steps=4, decay_steps=16)  # 5 steps an epoch
    module = build_model(make_model("mlp"), data.inputs, data.window, seed=0)
    try:
        state, divergence = fit(ForecastTask(data), module, spec, Seeds.of(0))
    finally:
        handle.remove()
    assert divergence is None
    np.testing.assert_allclose(seen, [*torch_s_own(0.01, 4, 16, 16), 0, 0, 0, 0], atol=1e-12)
    rates = [row["learning_rate"] for row in state.history]
    assert rates == [None, *seen[4::5]]


def test_a_stalling_validation_loss_changes_no_cosine(
    make_dataset, make_model, make_training
) -> None:
    spec = make_training(schedule="cosine", learning_rate=0.1, epochs=8)
    run = train(make_dataset(), make_model("mlp"), spec, 7, name="m")
    steps = np.arange(5, 41, 5) - 1
    expected = [learning_rate(spec, step, 40) for step in steps.tolist()]
    np.testing.assert_allclose(run.history["learning_rate"][1:], expected)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"warmup_steps": 3}, "warmup_steps is 3, which schedule 'plateau' has no use for"),
        ({"decay_steps": 9}, "decay_steps is 9, which schedule 'plateau' has no use for"),
        ({"schedule": "cosine", "warmup_steps": 9, "decay_steps": 9}, "decay_steps is 9, but"),
    ],
)
def test_options_that_do_not_fit_are_refused(make_training, changes: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        make_training(**changes)
