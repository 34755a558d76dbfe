"""A model that forecasts from windows, with some of their steps removed."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.attention.hooks import observing
from attnpipe.core.block import Block
from attnpipe.data.dataset import SequenceDataset
from attnpipe.interventions.compression.policies import Context, choices, typical_of
from attnpipe.interventions.compression.table import CONFIRMATION, SELECTION, LossTable
from attnpipe.schema.compression import CompressionSpec
from attnpipe.tasks.forecast import ForecastTask
from attnpipe.tasks.predict import BATCH

Items = Int64[np.ndarray, " item"]
PerItem = Float[np.ndarray, " item"]


class MeanRow:
    """Observer: mean over layers, heads and queries of all rows, each of which is read out."""

    def __init__(self) -> None:
        self._sum: Float[Tensor, "sample key"] | float = 0.0
        self._rows = 0

    def observe(self, layer: int, block: Block) -> None:
        """Add some rows."""
        self._sum = self._sum + block.weights.double().sum((0, 2))
        self._rows += block.weights.shape[0] * block.weights.shape[2]

    def mean(self) -> Float[np.ndarray, "sample key"]:
        """Return the mean over the rows seen."""
        row: np.ndarray = (self._sum / self._rows).numpy()  # type: ignore[union-attr]
        return row


def shorten_windows(
    module: nn.Module,
    dataset: SequenceDataset,
    spec: CompressionSpec,
    table: LossTable,
    *,
    placed: bool,
) -> None:
    """Forecast the test windows from a part of their steps; the last one is always read.

    Policies are chosen on the first half of the test split's units and tried on the others:
    units are known of no other split.

    Parameters
    ----------
    module
        Trained, in evaluation mode.
    dataset
        Windows of numbers.
    spec
        What is kept.
    table
        Takes the squared errors, in natural units.
    placed
        Whether the model knows where a step stands, so that steps can keep their places. One
        that reads them one after the other cannot tell, and is scored once.
    """
    task = ForecastTask(dataset)
    count = task.count("test")
    parts = np.array_split(np.arange(count), max(1, -(-count // BATCH)))
    whole = [_whole(module, task, part) for part in parts]
    attention, intact = (np.concatenate(of) for of in zip(*whole, strict=True))
    selecting = dataset.units < (dataset.units.max() + 1) // 2
    typical = typical_of(attention, selecting)
    trivial = min(task.trivial("test").values(), key=lambda loss: float(loss.mean()))
    for part in parts:
        split = np.where(selecting[part], SELECTION, CONFIRMATION).tolist()
        names = [dataset.unit_names[unit] for unit in dataset.units[part]]
        items = list(zip(part.tolist(), names, split, strict=True))
        own = None if typical is None else typical[part]
        for choice in choices(Context(part, attention[part], own), spec):
            for reindexed in (False, True) if placed else (False,):
                losses = intact[part]
                if not choice.everything:
                    losses = _losses(
                        module, task, part, choice.kept, placed=placed and not reindexed
                    )
                table.add(
                    choice, items, losses, intact[part], trivial[part],
                    places=attention.shape[1], reindexed=reindexed,
                )  # fmt: skip


def _whole(
    module: nn.Module, task: ForecastTask, items: Items
) -> tuple[Float[np.ndarray, "item before"], PerItem]:
    """Return what attention gives the steps before the last, and the losses."""
    look = MeanRow()
    with observing(look):
        losses = _errors(task, items, module(task.batch("test", items).inputs))
    return look.mean()[:, :-1], losses


def _losses(
    module: nn.Module,
    task: ForecastTask,
    items: Items,
    kept: Int64[np.ndarray, "#item kept"],
    *,
    placed: bool,
) -> PerItem:
    """Return the losses of windows of which some steps and the last are read."""
    inputs = task.batch("test", items).inputs
    last = np.full((len(kept), 1), inputs.shape[1] - 1)
    places = torch.from_numpy(np.concatenate([kept, last], axis=1)).expand(len(items), -1)
    shortened = inputs.gather(1, places[..., None].expand(-1, -1, inputs.shape[2]))
    outputs = module(shortened, places) if placed else module(shortened)
    return _errors(task, items, outputs)


def _errors(task: ForecastTask, items: Items, outputs: Float[Tensor, " item"]) -> PerItem:
    data = task.dataset
    target = data.target[data.splits["test"][items]].astype(np.float64)
    forecast = outputs.double().numpy() * data.target_scale + data.target_mean
    return np.asarray((forecast - target) ** 2)
