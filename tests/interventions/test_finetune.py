"""Further training under replaced weights, against the same steps by hand for each model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn.functional import cross_entropy

from attnpipe.core.outcome import Outcome
from attnpipe.data.induction import prepare
from attnpipe.interventions.run import intervene
from attnpipe.models.build import build_model
from attnpipe.schema.data import InductionData
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.schema.model import parse_model
from attnpipe.schema.training import TrainingSpec
from attnpipe.tables.interventions import INTERVENTIONS

TRAINING = TrainingSpec(
    epochs=4, windows_per_epoch=50, batch_size=20, optimizer="adamw", learning_rate=0.02,
    weight_decay=0.1, clip_norm=0.5,
)  # fmt: skip
BEST, SEED = 2, 7
STEPS = {0.01: [20], 0.4: [20, 20, 10, 20, 20], 1.0: [20, 20, 10] * 4}
"""Share of the 12 steps → items of each step that is taken; 4.8 are rounded to 5."""
NAMES = ["uniform", "position_mean"]
WHOLE = pl.col("layer").is_null()
MODELS = {
    "lstm": {
        "kind": "lstm", "hidden": 4, "layers": 1, "baseline": "b", "attention": {"kind": "simple"},
    },
    "reader": {"kind": "reader", "width": 5, "mask": 2, "attention": {"kind": "query", "size": 3}},
    "transformer": {
        "kind": "transformer", "width": 8, "layers": 2, "heads": 2, "attention": {"kind": "self"},
    },
}  # fmt: skip
DROPOUT = MODELS["lstm"] | {"layers": 2, "dropout": 0.3}


@dataclass
class Made:
    """A run whose checkpoint is a model as it was drawn."""

    data: Any
    model: Any
    weights: dict[str, np.ndarray]

    def module(self):
        module = build_model(self.model, self.data.inputs, self.data.window, seed=0)
        module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in self.weights.items()})
        return module

    def table(self, training=TRAINING, **options):
        return intervene(
            self.data, self.model, {"best": self.weights, "untrained": self.weights},
            Outcome("ok", best_epoch=BEST), InterventionSpec(**{"names": NAMES} | options),
            name="m", seed=SEED, training=training,
        )  # fmt: skip


@pytest.fixture
def make(make_dataset):
    def made(document):
        model = parse_model(document)
        data = words() if document["kind"] == "transformer" else make_dataset()
        drawn = build_model(model, data.inputs, data.window, seed=3)
        return Made(data, model, {n: p.detach().numpy() for n, p in drawn.named_parameters()})

    return made


def words():
    return prepare(
        InductionData(
            kind="induction", name="r", lead=0, window=10, period=[3, 5], vocabulary=7,
            train_windows=64, validation_windows=4, test_windows=5, probe_samples=2,
        ),
        cache=Path(),
    )  # fmt: skip


def softmax(logits, support):
    e = torch.exp(logits - logits.amax(-1, keepdim=True)) * support
    return on(e, support)


def on(weights, support):
    """Weights brought to sum 1 on the support; rows without any are 0."""
    kept = weights * support
    return kept / kept.sum(-1, keepdim=True).clamp(min=1e-30)


class OfWindows:
    """What models of windows have in common: inputs, targets, losses."""

    def __init__(self, data):
        self.data = data

    def read(self, split, items):
        ends = self.data.splits[split][items]
        target = (self.data.target[ends] - self.data.target_mean) / self.data.target_scale
        return torch.from_numpy(self.data.windows(ends)), torch.from_numpy(target)

    def loss(self, outputs, targets):
        return (outputs - targets) ** 2

    def natural(self, losses):
        return losses * self.data.target_scale**2


class Lstm(OfWindows):
    """One row of weights; each function gets or gives a list with one entry per layer."""

    def support(self, x):
        return torch.ones(x.shape[:2])

    def own(self, m, x):
        return [softmax(m.attention.score(m.lstm(x)[0])[..., 0], self.support(x))]

    def forward(self, m, x, weights):
        return m.readout((weights[0][..., None] * m.lstm(x)[0]).sum(1))[:, 0]


class Reader(OfWindows):
    def support(self, x):
        return (x[..., 2] > 0).float()

    def hidden(self, m, x):
        entered = m.enter(x) + m.position
        return entered + m.embed(torch.relu(entered))

    def own(self, m, x):
        hidden = self.hidden(m, x)
        asked = m.attention.query(hidden[:, -1:]) * m.attention.key(hidden)
        return [softmax(asked.sum(-1) / 3**0.5, self.support(x))]

    def forward(self, m, x, weights):
        hidden = self.hidden(m, x)
        context = (weights[0][..., None] * hidden).sum(1)
        return m.readout(torch.relu(m.skip(hidden[:, -1]) + m.bring(context)))[:, 0]


class Transformer:
    def __init__(self, data):
        self.data = data

    def read(self, split, items):
        tokens = torch.from_numpy(self.data.tokens[self.data.splits[split][items]]).long()
        scored = torch.from_numpy(self.data.scored[self.data.splits[split][items]])
        return tokens[:, :-1], (tokens[:, 1:], scored)

    def loss(self, outputs, targets):
        tokens, scored = targets
        nats = cross_entropy(outputs.transpose(1, 2), tokens, reduction="none")
        return (nats * scored).sum(1) / scored.sum(1)

    def natural(self, losses):
        return losses

    def support(self, x):
        return torch.ones(x.shape[1], x.shape[1]).tril()

    def added(self, layer, hidden, weights):
        values = layer.value(hidden).unflatten(-1, (2, 4))
        each = weights.expand(len(hidden), -1, -1, -1)
        return layer.out(torch.einsum("shqk,skhd->sqhd", each, values).flatten(2))

    def own(self, m, x):
        found, hidden = [], m.embed(x)
        for layer in m.layers:
            placed = hidden + layer.position[: x.shape[1]]
            q, k = (part(placed).unflatten(-1, (2, 4)) for part in (layer.query, layer.key))
            logits = torch.einsum("sqhd,skhd->shqk", q, k) / 2
            found.append(softmax(logits, self.support(x)))
            hidden = hidden + self.added(layer, hidden, found[-1])
        return found

    def forward(self, m, x, weights):
        hidden = m.embed(x)
        for layer, of_layer in zip(m.layers, weights, strict=True):
            hidden = hidden + self.added(layer, hidden, of_layer)
        return m.readout(hidden)


FORMULAS = {"lstm": Lstm, "reader": Reader, "transformer": Transformer}


def drawn_after(epochs, count, sizes):
    """The items that training would have gone on with."""
    order_seed = int(np.random.SeedSequence(SEED).generate_state(3)[1])
    generator = torch.Generator().manual_seed(order_seed)
    stream = np.concatenate([torch.randperm(count, generator=generator) for _ in range(9)])
    return np.split(stream[epochs * 50 :][: sum(sizes)], np.cumsum(sizes)[:-1])


def by_hand(made, formula, name, sizes):
    """Losses of the test items, after the steps written out."""
    module = made.module()
    with torch.no_grad():
        x, _ = formula.read("train", np.arange(len(made.data.splits["train"])))
        means = [weights.mean(0) for weights in formula.own(module, x)]
    given = [torch.ones_like(m) for m in means] if name == "uniform" else means

    def loss_of(split, items):
        x, targets = formula.read(split, items)
        weights = [on(w, formula.support(x)) for w in given]
        return formula.loss(formula.forward(module, x, weights), targets)

    parameters = list(module.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=0.02, weight_decay=0.1)
    for items in drawn_after(BEST, len(made.data.splits["train"]), sizes):
        optimizer.zero_grad()
        loss_of("train", items).mean().backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = sum(float((g**2).sum()) for g in gradients) ** 0.5
        for g in gradients:
            g *= min(1.0, 0.5 / norm)
        optimizer.step()
    with torch.no_grad():
        tested = loss_of("test", np.arange(len(made.data.splits["test"])))
    return formula.natural(tested).numpy()


@pytest.mark.parametrize("share", STEPS)
@pytest.mark.parametrize("kind", MODELS)
def test_losses_are_those_after_the_same_steps_by_hand(make, kind, share) -> None:
    made = make(MODELS[kind])
    found = made.table(finetune=share)
    for name in NAMES:
        rows = found.filter(intervention=f"{name}_finetuned")
        expected = by_hand(made, FORMULAS[kind](made.data), name, STEPS[share])
        np.testing.assert_allclose(rows["loss"], expected, rtol=2e-3, atol=1e-4)
        frozen = found.filter(WHOLE, intervention=name)
        assert not np.allclose(rows["loss"], frozen["loss"], rtol=1e-2)


@pytest.mark.parametrize("kind", MODELS)
def test_the_model_itself_stays_as_it_is(make, kind) -> None:
    made = make(MODELS[kind])
    found, frozen = made.table(finetune=0.4), made.table(finetune=0.0, training=None)
    assert found.schema == INTERVENTIONS.schema
    assert found.head(len(frozen)).equals(frozen)
    names = found.slice(len(frozen))["intervention"].unique(maintain_order=True)
    assert names.to_list() == ["uniform_finetuned", "position_mean_finetuned"]
    whole = found.filter(WHOLE)
    intact = (whole["loss"] - whole["delta"]).to_numpy().reshape(4, -1)
    np.testing.assert_allclose(intact, intact[:1].repeat(4, 0), rtol=1e-6, atol=1e-6)


def test_only_under_what_is_asked_for_is_trained_further(make) -> None:
    found = make(MODELS["lstm"]).table(finetune=0.4, names=["permuted", "position_mean"])
    names = found["intervention"].unique(maintain_order=True).to_list()
    assert names == ["permuted", "position_mean", "position_mean_finetuned"]


@pytest.mark.parametrize("document", [DROPOUT, MODELS["transformer"]])
def test_the_same_run_gives_the_same_bytes_whatever_the_global_state(make, document) -> None:
    made = make(document)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = made.table(finetune=0.4)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert first.equals(made.table(finetune=0.4))


def test_what_diverged_has_no_rows(make) -> None:
    made = make(MODELS["lstm"])
    steep = TRAINING.model_copy(update={"learning_rate": 1e30, "clip_norm": None})
    found = made.table(finetune=0.4, training=steep)
    assert found.equals(made.table(finetune=0.0))
