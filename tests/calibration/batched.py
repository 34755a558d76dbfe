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

Pool = Callable[[Tensor], Tensor]
"""Weights ``[seed, item, key]``, which sum to 1 → context ``[seed, item, width]``."""

Act = Callable[[Tensor, Pool], Tensor]
"""``(weights, pool) → context``: what acts in place of attention."""


@dataclass(frozen=True)
class Data:
    """Windows of a split for every seed; seeds may have data of their own."""

    inputs: Tensor  # [seed, item, step, feature]
    targets: Tensor  # [seed, item], scaled


def load(datasets: Sequence[SequenceDataset], split: str, device: str = "cpu") -> Data:
    """Return the windows of one split, one dataset per seed."""
    inputs, targets = [], []
    for data in datasets:
        ends = data.splits[split]
        inputs.append(data.windows(ends))
        targets.append((data.target[ends] - data.target_mean) / data.target_scale)
    return Data(
        torch.from_numpy(np.stack(inputs)).to(device),
        torch.from_numpy(np.stack(targets).astype(np.float32)).to(device),
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


def _fixed(params: Params, inputs: Tensor) -> Tensor:
    """Return logits that no window changes: learned ones of the static arm, else zeros."""
    learned = params.get("attention.position")
    return (
        inputs.new_zeros(inputs.shape[:3])
        if learned is None
        else (learned[:, None].expand(inputs.shape[:3]))
    )


def _products(values: Tensor, asked: Tensor) -> Tensor:
    return (values @ asked[..., None])[..., 0]


def as_it_is(weights: Tensor, pool: Pool) -> Tensor:
    """Let attention act as it is."""
    return pool(weights)


def _mean(weights: Tensor, values: Tensor) -> Tensor:
    return (weights[..., None, :] @ values)[..., 0, :]


def forward(
    spec: ReaderModel | LstmModel, params: Params, inputs: Tensor, act: Act = as_it_is
) -> Tensor:
    """Return forecasts ``[seed, item]`` of windows ``[seed, item, step, feature]``."""
    if isinstance(spec, LstmModel):
        return _lstm(spec, params, inputs, act)
    return _reader(spec, params, inputs, act)


def _reader(spec: ReaderModel, params: Params, inputs: Tensor, act: Act) -> Tensor:
    """As `Reader`, but layers per step are applied after sums over steps, where they are cheap.

    A step's hidden state is ``e + W r + b`` with ``e = A x + p`` and ``r = relu(e)``. Its mean
    by weights that sum to 1 is the same of the means of ``x``, ``p`` and ``r``; its product with
    a query ``a`` is ``x·(a A) + p·a + r·(a W)`` up to a term that all keys share and softmax
    ignores.
    """
    read = inputs if spec.attention is not None else inputs[:, :, -1:]
    positions = params["position"][:, -read.shape[2] :]
    entered = _linear(read, params, "enter") + positions[:, None]
    rectified = torch.relu(entered)
    last = entered[:, :, -1] + _linear(rectified[:, :, -1], params, "embed")
    state = _linear(last, params, "skip")
    if spec.attention is not None:
        exists = None if spec.mask is None else inputs[..., spec.mask] > 0

        def pool(weights: Tensor) -> Tensor:
            direct = _linear(_mean(weights, inputs), params, "enter") + weights @ positions
            return direct + _linear(_mean(weights, rectified), params, "embed")

        if spec.attention.kind == "query":
            # q·k = h_T W_qᵀ W_k h_k: the keys themselves are never made.
            asked = last @ params["attention.query.weight"].transpose(1, 2)
            asked = asked @ params["attention.key.weight"] * spec.attention.size**-0.5
            logits = _products(inputs, asked @ params["enter.weight"])
            logits = logits + asked @ positions.transpose(1, 2)
            logits = logits + _products(rectified, asked @ params["embed.weight"])
        else:
            logits = _fixed(params, inputs)
        state = state + _linear(act(_softmax(logits, exists), pool), params, "bring")
    return _linear(torch.relu(state), params, "readout")[..., 0]


def _lstm(spec: LstmModel, params: Params, inputs: Tensor, act: Act) -> Tensor:
    """One layer, gates in torch's order: input, forget, cell, output."""
    assert spec.layers == 1
    entered = inputs.flatten(1, 2) @ params["lstm.weight_ih_l0"].transpose(1, 2)
    bias = params["lstm.bias_ih_l0"] + params["lstm.bias_hh_l0"]
    entered = (entered + bias[:, None]).unflatten(1, inputs.shape[1:3])
    recurrent = params["lstm.weight_hh_l0"].transpose(1, 2)
    h = inputs.new_zeros(*inputs.shape[:2], spec.hidden)
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
        simple = spec.attention.kind == "simple"
        logits = (
            _linear(hidden, params, "attention.score")[..., 0] if simple else _fixed(params, inputs)
        )
        context = act(_softmax(logits, None), lambda weights: _mean(weights, hidden))
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
    device = train_data.inputs.device
    params = {name: value.to(device, copy=True).requires_grad_() for name, value in start.items()}
    optimizer = torch.optim.Adam(
        params.values(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    orders = [ShuffledItems(train_data.targets.shape[1], Seeds.of(seed).order) for seed in seeds]
    rows = torch.arange(len(seeds), device=device)[:, None]
    best = {name: value.detach().clone() for name, value in params.items()}
    least = torch.full((len(seeds),), torch.inf, device=device)
    per_epoch = training.windows_per_epoch or train_data.targets.shape[1]
    for _ in range(training.epochs):
        for begin in range(0, per_epoch, training.batch_size):
            size = min(training.batch_size, per_epoch - begin)
            items = torch.from_numpy(np.stack([order.take(size) for order in orders])).to(device)
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
    spec: ReaderModel | LstmModel, params: Params, data: Data, act: Act = as_it_is
) -> Tensor:
    """Return squared errors ``[seed, item]`` in scaled units."""
    return (forward(spec, params, data.inputs, act) - data.targets) ** 2
