"""Optimisers and determinism spare torch the import of its compiler, and change nothing else."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from attnpipe.models.determinism import deterministic
from attnpipe.training.eager import eager

PROGRAM = """
import sys
import torch
from attnpipe.models.determinism import deterministic
from attnpipe.schema.training import TrainingSpec
from attnpipe.training.registry import OPTIMIZERS

spec = TrainingSpec.model_validate_json(sys.argv[1])
weights = torch.nn.Parameter(torch.ones(3))
with deterministic():
    optimizer = OPTIMIZERS.load(spec.optimizer)([weights], spec)
    for _ in range(2):
        optimizer.zero_grad()
        weights.square().sum().backward()
        optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
assert not torch.equal(weights, torch.ones(3))
print("torch._dynamo" in sys.modules, "torch._inductor" in sys.modules)
"""


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_training_does_not_import_the_compiler(make_training, optimizer: str) -> None:
    spec = make_training(optimizer=optimizer).model_dump_json()
    command = [sys.executable, "-c", PROGRAM, spec]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_eager_optimisers_step_like_torchs_own(kind: type[torch.optim.Optimizer]) -> None:
    def trained(kind: type[torch.optim.Optimizer]) -> list[torch.Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, inputs = nn.Linear(4, 2), torch.randn(8, 4)
        optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.1)  # type: ignore[call-arg]
        for _ in range(5):
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            optimizer.step()
            optimizer.load_state_dict(optimizer.state_dict())
        assert all(not p.grad_fn and p.requires_grad for p in model.parameters())
        return [p.detach() for p in model.parameters()]

    pairs = zip(trained(kind), trained(eager(kind)), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_settings_are_strict_inside_and_restored_outside() -> None:
    torch.set_deterministic_debug_mode(1)
    try:
        with deterministic():
            assert torch.get_deterministic_debug_mode() == 2
            assert not torch.utils.deterministic.fill_uninitialized_memory
            with pytest.raises(RuntimeError, match="deterministic"):
                torch.ones(3).put_(torch.tensor([0, 0]), torch.ones(2))
        assert torch.get_deterministic_debug_mode() == 1
        assert torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.set_deterministic_debug_mode(0)
