"""Many small models trained at once: their weights are stacked along a first axis of seeds.

The same computation as `attnpipe.training` makes one run at a time, which
`test_batched.py` holds it to; only so can a thousand runs per case be had in an hour.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnpipe.data.dataset import SequenceDataset
from attnpipe.models.build import build_model
from attnpipe.schema.model import LstmModel, ReaderModel
from attnpipe.schema.training import TrainingSpec
from attnpipe.training.order import ShuffledItems
from attnpipe.training.seeds import Seeds

Params = Mapping[str, Tensor]
"""Name in the module → its weights, stacked ``[seed, …]``."""

Act = Callable[[Tensor, Tensor], Tensor]
"""``(weights [seed, item, key], hidden) → context [seed, item, width]``: what acts in place."""


@dataclass(frozen=True)
class Data:
    """Windows of a split for every seed; seeds may have data of their own."""

    inputs: Tensor  # [seed, item, step, feature]
    targets: Tensor  # [seed, item], scaled


def load(datasets: Sequence[SequenceDataset], split: str) -> Data:
    """Return the windows of one split, one dataset per seed."""
    inputs, targets = [], []
    for data in datasets:
        ends = data.splits[split]
        inputs.append(data.windows(ends))
        targets.append((data.target[ends] - data.target_mean) / data.target_scale)
    return Data(
        torch.from_numpy(np.stack(inputs)), torch.from_numpy(np.stack(targets).astype(np.float32))
    )


def stacked(
    spec: ReaderModel | LstmModel, features: int, window: int, seeds: Sequence[int]
) -> dict[str, Tensor]:
    """Return the initial weights of each seed's model, as training would start from them."""
    each = [
        build_model(spec, features, window, seed=Seeds.of(seed).initialisation).state_dict()
        for seed in seeds
    ]
    return {name: torch.stack([state[name] for state in each]) for name in each[0]}


def _linear(x: Tensor, params: Params, name: str) -> Tensor:
    """Apply each seed's layer to ``[seed, …, in]``."""
    weight, bias = params[f"{name}.weight"], params.get(f"{name}.bias")
    flat = x.flatten(1, -2)
    out = flat @ weight.transpose(1, 2)
    if bias is not None:
        out = out + bias[:, None]
    return out.unflatten(1, x.shape[1:-1])


def _softmax(logits: Tensor, exists: Tensor | None) -> Tensor:
    return (logits if exists is None else logits.masked_fill(~exists, -torch.inf)).softmax(-1)


def mean_of_values(weights: Tensor, hidden: Tensor) -> Tensor:
    """Let attention act as it is."""
    return (weights[..., None, :] @ hidden)[..., 0, :]


def forward(
    spec: ReaderModel | LstmModel, params: Params, inputs: Tensor, act: Act = mean_of_values
) -> Tensor:
    """Return forecasts ``[seed, item]`` of windows ``[seed, item, step, feature]``."""
    if isinstance(spec, LstmModel):
        return _lstm(spec, params, inputs, act)
    entered = _linear(inputs, params, "enter") + params["position"][:, None]
    hidden = entered + _linear(torch.relu(entered), params, "embed")
    state = _linear(hidden[:, :, -1], params, "skip")
    if spec.attention is not None:
        exists = None if spec.mask is None else inputs[..., spec.mask] > 0
        context = act(_weights(spec, params, hidden, exists), hidden)
        state = state + _linear(context, params, "bring")
    return _linear(torch.relu(state), params, "readout")[..., 0]


def _weights(
    spec: ReaderModel | LstmModel, params: Params, hidden: Tensor, exists: Tensor | None
) -> Tensor:
    assert spec.attention is not None
    kind = spec.attention.kind
    if kind == "query":
        # q·k = h_T W_qᵀ W_k h_k: the keys themselves are never made.
        asked = hidden[:, :, -1] @ params["attention.query.weight"].transpose(1, 2)
        asked = asked @ params["attention.key.weight"]
        logits = (hidden @ asked[..., None])[..., 0] * spec.attention.size**-0.5
    elif kind == "simple":
        logits = _linear(hidden, params, "attention.score")[..., 0]
    elif kind == "static":
        logits = params["attention.position"][:, None].expand(hidden.shape[:3])
    else:
        logits = torch.zeros(hidden.shape[:3])
    return _softmax(logits, exists)


def _lstm(spec: LstmModel, params: Params, inputs: Tensor, act: Act) -> Tensor:
    """One layer, gates in torch's order: input, forget, cell, output."""
    assert spec.layers == 1
    entered = inputs.flatten(1, 2) @ params["lstm.weight_ih_l0"].transpose(1, 2)
    bias = params["lstm.bias_ih_l0"] + params["lstm.bias_hh_l0"]
    entered = (entered + bias[:, None]).unflatten(1, inputs.shape[1:3])
    recurrent = params["lstm.weight_hh_l0"].transpose(1, 2)
    h = torch.zeros(*inputs.shape[:2], spec.hidden)
    c, states = torch.zeros_like(h), []
    for step in range(inputs.shape[2]):
        i, f, g, o = (entered[:, :, step] + h @ recurrent).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append(h)
    if spec.attention is None:
        context = h
    else:
        hidden = torch.stack(states, dim=2)
        context = act(_weights(spec, params, hidden, None), hidden)
    return _linear(context, params, "readout")[..., 0]


def train(
    spec: ReaderModel | LstmModel,
    training: TrainingSpec,
    train_data: Data,
    validation: Data,
    seeds: Sequence[int],
    start: Params,
) -> dict[str, Tensor]:
    """Return every seed's weights at its epoch of lowest validation loss."""
    params = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimizer = torch.optim.Adam(
        params.values(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    orders = [ShuffledItems(train_data.targets.shape[1], Seeds.of(seed).order) for seed in seeds]
    rows = torch.arange(len(seeds))[:, None]
    best = {name: value.detach().clone() for name, value in params.items()}
    least = torch.full((len(seeds),), torch.inf)
    per_epoch = training.windows_per_epoch or train_data.targets.shape[1]
    for _ in range(training.epochs):
        for begin in range(0, per_epoch, training.batch_size):
            size = min(training.batch_size, per_epoch - begin)
            items = torch.from_numpy(np.stack([order.take(size) for order in orders]))
            out = forward(spec, params, train_data.inputs[rows, items])
            loss = ((out - train_data.targets[rows, items]) ** 2).mean(1).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if training.clip_norm is not None:
                _clip(params, training.clip_norm)
            optimizer.step()
        with torch.no_grad():
            found = losses(spec, params, validation).double().mean(1).float()
            better = found < least
            least = torch.where(better, found, least)
            for name, value in params.items():
                best[name][better] = value.detach()[better]
    return best


def _clip(params: Params, limit: float) -> None:
    """Scale each seed's gradients to the norm, as `clip_grad_norm_` does for one model."""
    grads = [p.grad for p in params.values() if p.grad is not None]
    norm = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0).sqrt()
    scale = (limit / (norm + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(scale.reshape(-1, *[1] * (g.ndim - 1)))


def losses(
    spec: ReaderModel | LstmModel, params: Params, data: Data, act: Act = mean_of_values
) -> Tensor:
    """Return squared errors ``[seed, item]`` in scaled units."""
    return (forward(spec, params, data.inputs, act) - data.targets) ** 2
