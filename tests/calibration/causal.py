"""E1 to E4 on stacked models, the same that `attnpipe.interventions` does to one."""

from collections.abc import Mapping

import numpy as np
import torch
from tests.calibration.batched import Data, Params, Pool, as_it_is, forward, losses
from torch import Tensor

from attnpipe.schema.model import LstmModel, ReaderModel

CODES = ("E1", "E2", "E3", "E4")


def interventions(
    spec: ReaderModel | LstmModel, params: Params, train: Data, test: Data, mean_samples: int
) -> dict[str, Tensor]:
    """Return code → squared errors of the test items ``[seed, item]``."""
    means = _means(spec, params, train, mean_samples)
    support = _support(spec, test)
    donor = _donors(support, test.targets.shape[1], test.targets.device)

    def e1(weights: Tensor, pool: Pool) -> Tensor:
        return means["context"][:, None].expand(-1, weights.shape[1], -1)

    def e2(weights: Tensor, pool: Pool) -> Tensor:
        return pool(_on(torch.ones_like(weights), support))

    def e3(weights: Tensor, pool: Pool) -> Tensor:
        return pool(_on(means["weights"][:, None].expand_as(weights), support))

    def e4(weights: Tensor, pool: Pool) -> Tensor:
        rows = donor.expand(len(weights), -1)[..., None].expand_as(weights)
        return pool(weights.gather(1, rows))

    return {
        code: losses(spec, params, test, act)
        for code, act in zip(CODES, (e1, e2, e3, e4), strict=True)
    }


def _on(weights: Tensor, support: Tensor | None) -> Tensor:
    kept = weights if support is None else weights * support
    return kept / kept.sum(-1, keepdim=True)


def _support(spec: ReaderModel | LstmModel, data: Data) -> Tensor | None:
    mask = getattr(spec, "mask", None)
    return None if mask is None else data.inputs[..., mask] > 0


def _means(
    spec: ReaderModel | LstmModel, params: Params, train: Data, samples: int
) -> Mapping[str, Tensor]:
    count = train.targets.shape[1]
    spread = np.linspace(0, count - 1, min(count, samples)).round().astype(np.int64)
    items = torch.from_numpy(spread).to(train.inputs.device)
    kept: dict[str, Tensor] = {}

    def look(weights: Tensor, pool: Pool) -> Tensor:
        context = as_it_is(weights, pool)
        kept["weights"], kept["context"] = weights.mean(1), context.mean(1)
        return context

    forward(spec, params, train.inputs[:, items], look)
    return kept


def _donors(support: Tensor | None, count: int, device: torch.device) -> Tensor:
    """Return, per seed and item, a random other item with the same support."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(count)).to(device)
    if support is None:
        donor = torch.empty_like(order)
        donor[order] = order.roll(-1)
        return donor[None]
    rows = []
    for of_seed in support:
        donor = torch.arange(count, device=device)
        size = of_seed.sum(-1)  # padding stands at the old end: its length is the support
        for kind in size.unique():
            members = order[size[order] == kind]
            donor[members] = members.roll(-1)
        rows.append(donor)
    return torch.stack(rows)
