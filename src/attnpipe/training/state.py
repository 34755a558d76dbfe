"""Everything a training changes, and its exact form as arrays and a JSON document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from attnpipe.core.errors import UserError
from attnpipe.training.order import ShuffledItems

Weights = dict[str, np.ndarray]

_SCHEDULE = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch", "_last_lr")


def weights_of(module: nn.Module) -> Weights:
    """Return copies of a module's parameters and buffers."""
    return {name: t.detach().numpy().copy() for name, t in module.state_dict().items()}


@dataclass
class TrainingState:
    """What changes from epoch to epoch. The generator of noise (dropout) is torch's global one.

    Attributes
    ----------
    epoch
        Last finished epoch; 0 before the first.
    history
        One row per epoch: columns of `tables.HISTORY` but for model and seed.
    kept
        Checkpoint name → weights.
    best_loss, best_epoch
        Lowest validation loss of a trained epoch, and that epoch.
    """

    module: nn.Module
    optimizer: Optimizer
    schedule: ReduceLROnPlateau
    order: ShuffledItems
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[str, Weights] = field(default_factory=dict)
    best_loss: float | None = None
    best_epoch: int | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that `restore` needs, under names with ``/`` between levels."""
        tree: dict[str, Mapping[str, np.ndarray]] = {
            "module": weights_of(self.module),
            "order": self.order.state(),
            "noise": {"generator": torch.get_rng_state().numpy()},
        }
        for index, slots in self.optimizer.state_dict()["state"].items():
            tree[f"optimizer/{index}"] = {k: v.numpy() for k, v in slots.items()}
        for checkpoint, weights in self.kept.items():
            tree[f"kept/{checkpoint}"] = weights
        return {f"{k}/{name}": a for k, group in tree.items() for name, a in group.items()}

    def document(self) -> dict[str, Any]:
        """Return the rest of what `restore` needs; JSON-serialisable."""
        schedule = self.schedule.state_dict()
        return {
            "epoch": self.epoch,
            "history": self.history,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "kept": list(self.kept),
            "learning_rates": [float(g["lr"]) for g in self.optimizer.param_groups],
            "schedule": {k: schedule[k] for k in _SCHEDULE},
        }

    def restore(self, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> None:
        """Go on from a saved state, bit for bit.

        Raises
        ------
        UserError
            The state belongs to another model.
        """
        try:
            self._restore(arrays, document)
        except (KeyError, RuntimeError, ValueError) as error:
            raise UserError(
                f"the saved state of an interrupted training does not fit this model "
                f"({str(error).splitlines()[0]}): delete it to train from the start"
            ) from error

    def _restore(self, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> None:
        def group(prefix: str) -> dict[str, np.ndarray]:
            return {
                k.removeprefix(prefix): v.copy() for k, v in arrays.items() if k.startswith(prefix)
            }

        def tensors(prefix: str) -> dict[str, torch.Tensor]:
            return {k: torch.from_numpy(v) for k, v in group(prefix).items()}

        self.module.load_state_dict(tensors("module/"))
        self.order.restore(group("order/"))
        torch.set_rng_state(tensors("noise/")["generator"])
        optimizer = self.optimizer.state_dict()
        n_parameters = sum(len(g["params"]) for g in optimizer["param_groups"])
        slots = {i: tensors(f"optimizer/{i}/") for i in range(n_parameters)}
        optimizer["state"] = {i: s for i, s in slots.items() if s}
        for parameters, rate in zip(
            optimizer["param_groups"], document["learning_rates"], strict=True
        ):
            parameters["lr"] = rate
        self.optimizer.load_state_dict(optimizer)
        self.schedule.load_state_dict({**self.schedule.state_dict(), **document["schedule"]})
        self.epoch = document["epoch"]
        self.history = list(document["history"])
        self.kept = {c: group(f"kept/{c}/") for c in document["kept"]}
        self.best_loss, self.best_epoch = document["best_loss"], document["best_epoch"]
