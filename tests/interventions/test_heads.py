"""Interventions on several layers and heads, against a forward pass by hand in float64."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attnpipe.core.outcome import Outcome
from attnpipe.data.induction import prepare
from attnpipe.interventions.losses import ORDER_SEED
from attnpipe.interventions.run import intervene
from attnpipe.models.build import build_model
from attnpipe.schema.data import InductionData
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.schema.model import parse_model

WINDOW, LAYERS, HEADS, DIM = 10, 2, 2, 4
ALL_HEADS = [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
DATA = InductionData(
    kind="induction", name="r", lead=0, window=WINDOW, period=[3, 5], vocabulary=7,
    train_windows=40, validation_windows=16, test_windows=12, probe_samples=2,
)  # fmt: skip
MODEL = parse_model({
    "kind": "transformer", "width": HEADS * DIM, "layers": LAYERS, "heads": HEADS,
    "attention": {"kind": "self"},
})  # fmt: skip

Weights = Callable[[int, np.ndarray, np.ndarray], np.ndarray]
"""Layer, own weights ``[item, head, query, key]`` and values → the weights that act."""


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class ByHand:
    """The transformer's formulas, written out once more."""

    def __init__(self, weights: dict[str, np.ndarray], data) -> None:
        self.w = {name: array.astype(np.float64) for name, array in weights.items()}
        self.data = data
        self.weights, self.outputs = self.look("train")
        self.mean_weights = [a.mean(0) for a in self.weights]
        self.mean_outputs = [c.mean(0) for c in self.outputs]

    def forward(self, tokens, act: Weights | None = None, outputs=None):
        """Return logits, and each layer's weights and outputs of heads.

        `outputs`: (layer, head) → what the head gives back instead, per position.
        """
        seen, given = [], []
        hidden = self.w["embed.weight"][tokens]
        causal = np.tril(np.ones((tokens.shape[1],) * 2, dtype=bool))
        for layer in range(LAYERS):
            of = {n: self.w[f"layers.{layer}.{n}.weight"] for n in ("query", "key", "value", "out")}
            placed = hidden + self.w[f"layers.{layer}.position"][: tokens.shape[1]]
            q, k, v = (self.split(x @ of[n].T) for x, n in
                       ((placed, "query"), (placed, "key"), (hidden, "value")))  # fmt: skip
            logits = np.where(causal, q @ k.swapaxes(-1, -2) / np.sqrt(DIM), -np.inf)
            weights = softmax(logits)
            if act is not None:
                weights = act(layer, weights, v)
            context = weights @ v
            for (at, head), instead in (outputs or {}).items():
                if at == layer:
                    context[:, head] = instead
            seen.append(weights)
            given.append(context)
            hidden = hidden + context.swapaxes(1, 2).reshape(hidden.shape) @ of["out"].T
        return hidden @ self.w["readout.weight"].T, seen, given

    @staticmethod
    def split(x):
        return x.reshape(*x.shape[:2], HEADS, DIM).swapaxes(1, 2)

    def look(self, split):
        return self.forward(self.data.tokens[self.data.splits[split], :-1])[1:]

    def losses(self, split="test", act: Weights | None = None, outputs=None):
        """Return each sequence's loss: mean over its scored places, nats."""
        rows = self.data.splits[split]
        tokens, scored = self.data.tokens[rows], self.data.scored[rows]
        p = softmax(self.forward(tokens[:, :-1], act, outputs)[0])
        nats = -np.log(np.take_along_axis(p, tokens[:, 1:, None], axis=-1)[..., 0])
        return (nats * scored).sum(1) / scored.sum(1)

    def without(self, heads, split="test"):
        """Return the losses when some heads give back their mean."""
        return self.losses(split, outputs={(at, h): self.mean_outputs[at][h] for at, h in heads})


@pytest.fixture(scope="module")
def made():
    data = prepare(DATA, cache=Path())
    checkpoints = {
        name: {
            k: v.numpy() for k, v in build_model(MODEL, 7, WINDOW, seed=seed).state_dict().items()
        }
        for name, seed in (("best", 3), ("untrained", 4))
    }
    by_hand = {name: ByHand(weights, data) for name, weights in checkpoints.items()}
    return data, checkpoints, by_hand


def run(made, names, **options) -> pl.DataFrame:
    data, checkpoints, _ = made
    spec = InterventionSpec(names=names, **options)
    return intervene(data, MODEL, checkpoints, Outcome("ok"), spec, name="m", seed=3)


def rows_of(table: pl.DataFrame, **where) -> np.ndarray:
    """Return the losses of one evaluation, in the order of the items."""
    wanted = (pl.col(k).eq_missing(v) for k, v in where.items())
    rows = table.filter(pl.all_horizontal(pl.lit(True), *wanted))
    assert rows["item"].to_list() == list(range(DATA.test_windows)), where
    return rows["loss"].to_numpy()


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_a_single_head_gives_back_its_mean(made) -> None:
    hand = made[2]["best"]
    table = run(made, ["single_head"])
    assert table.height == len(ALL_HEADS) * DATA.test_windows
    intact = hand.losses()
    for layer, head in ALL_HEADS:
        expected = hand.without([(layer, head)])
        assert np.abs(expected - intact).max() > 1e-3  # the head does something
        close(rows_of(table, layer=layer, head=head), expected)
    close((table["loss"] - table["delta"]).to_numpy(), np.tile(intact, len(ALL_HEADS)))


def removals(table: pl.DataFrame, name: str, draw: int | None = None) -> list[tuple[int, int]]:
    """Return the heads in the order in which they go."""
    steps = table.filter(
        (pl.col("intervention") == name) & pl.col("draw").eq_missing(draw) & (pl.col("item") == 0)
    ).sort("removed")
    assert steps["removed"].to_list() == list(range(1, len(ALL_HEADS) + 1))
    return list(steps.select("layer", "head").iter_rows())


def test_greedy_removal_is_that_of_trying_all_that_are_left_on_validation_items(made) -> None:
    hand = made[2]["best"]
    table = run(made, ["cumulative_heads"], control_draws=1)
    gone: list[tuple[int, int]] = []
    while len(gone) < len(ALL_HEADS):
        left = [head for head in ALL_HEADS if head not in gone]
        costs = [hand.without([*gone, head], "validation").mean() for head in left]
        gone.append(left[int(np.argmin(costs))])
        found = rows_of(table, intervention="cumulative_heads", removed=len(gone))
        close(found, hand.without(gone))
    assert removals(table, "cumulative_heads") == gone


def test_many_heads_go_in_the_order_of_what_each_alone_costs(made) -> None:
    hand = made[2]["best"]
    table = run(made, ["cumulative_heads"], control_draws=1, greedy_heads=2)
    costs = {head: hand.without([head], "validation").mean() for head in ALL_HEADS}
    order = sorted(ALL_HEADS, key=costs.__getitem__)
    assert removals(table, "cumulative_heads") == order
    for n in range(1, len(order) + 1):
        found = rows_of(table, intervention="cumulative_heads", removed=n)
        close(found, hand.without(order[:n]))


def test_the_control_removes_as_many_heads_in_any_order(made) -> None:
    hand = made[2]["best"]
    table = run(made, ["cumulative_heads"], control_draws=3)
    sizes = table.filter(pl.col("item") == 0).group_by("intervention", "draw", "removed").len()
    assert sizes["len"].to_list() == [1] * (len(ALL_HEADS) * 4)
    orders = [removals(table, "random_heads", draw) for draw in range(3)]
    assert all(sorted(order) == ALL_HEADS for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    for draw, order in enumerate(orders):
        for n in range(1, len(order) + 1):
            found = rows_of(table, intervention="random_heads", draw=draw, removed=n)
            close(found, hand.without(order[:n]))


def in_layers(act: Weights, chosen: list[int]) -> Weights:
    return lambda layer, weights, v: act(layer, weights, v) if layer in chosen else weights


def equal(layer, weights, v):
    n = weights.shape[-1]
    return np.broadcast_to(np.tril(np.ones((n, n))) / np.arange(1, n + 1)[:, None], weights.shape)


def exchanged(layer, weights, v):
    order = np.random.default_rng(ORDER_SEED).permutation(len(weights))  # one batch
    given = np.empty_like(weights)
    given[order] = weights[np.roll(order, -1)]
    return given


@pytest.mark.parametrize("name", ["uniform", "position_mean", "permuted"])
def test_weights_are_replaced_in_all_layers_and_in_one(made, name) -> None:
    hand = made[2]["best"]
    acts = {
        "uniform": equal,
        "position_mean": lambda layer, weights, v: hand.mean_weights[layer][None],
        "permuted": exchanged,
    }
    table = run(made, [name])
    for layer, chosen in ((None, [0, 1]), (0, [0]), (1, [1])):
        expected = hand.losses(act=in_layers(acts[name], chosen))
        close(rows_of(table, intervention=name, layer=layer), expected)
    assert table.height == 3 * DATA.test_windows


def test_outputs_are_replaced_in_all_layers_and_in_one(made) -> None:
    hand = made[2]["best"]
    table = run(made, ["output_mean"])
    for layer, chosen in ((None, [0, 1]), (0, [0]), (1, [1])):
        heads = [(at, head) for at, head in ALL_HEADS if at in chosen]
        close(rows_of(table, intervention="output_mean", layer=layer), hand.without(heads))


def test_weights_of_the_untrained_model_act_layer_by_layer(made) -> None:
    hand, before = made[2]["best"], made[2]["untrained"]
    own, _ = before.look("test")
    table = run(made, ["untrained"])
    close(rows_of(table), hand.losses(act=lambda layer, weights, v: own[layer]))


def near(layer, weights, v):
    places = np.arange(weights.shape[-1])
    kept = weights * (places[:, None] - places < 3)
    return kept / kept.sum(-1, keepdims=True)


def by_norm(layer, weights, v):
    shares = weights * np.linalg.norm(v, axis=-1)[:, :, None]
    return shares / shares.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("last_step", lambda layer, w, v: np.broadcast_to(np.eye(w.shape[-1]), w.shape)),
        ("local_window", near),
        ("value_norm", by_norm),
    ],
)
def test_the_other_interventions_act_in_all_layers(made, name, act) -> None:
    table = run(made, [name], window=3)
    close(rows_of(table), made[2]["best"].losses(act=act))
