"""Interventions on a trained run, against plain formulas on its own hidden states."""

import numpy as np
import polars as pl
import pytest
import torch

from attnpipe.core.progress import unsaid
from attnpipe.interventions import losses, material
from attnpipe.interventions.losses import ORDER_SEED
from attnpipe.interventions.run import intervene
from attnpipe.models.build import build_model
from attnpipe.schema.intervention import InterventionSpec
from attnpipe.tables.interventions import INTERVENTIONS
from attnpipe.tasks.forecast import ForecastTask

ALL = [
    "output_mean", "uniform", "position_mean", "permuted", "last_step", "local_window", "untrained",
    "value_norm",
]  # fmt: skip


def run(trained, say=unsaid, **options):
    return intervene(
        trained.dataset, trained.model, trained.checkpoints, trained.outcome,
        InterventionSpec(**options), name="m", seed=7, say=say,
    )  # fmt: skip


class Plain:
    """Query-free attention over LSTM states, in float64 and by hand."""

    def __init__(self, trained, checkpoint="best"):
        self.task, self.trained = ForecastTask(trained.dataset), trained
        data = trained.dataset
        module = build_model(trained.model, data.features.shape[1], data.window, seed=0)
        module.load_state_dict(
            {k: torch.from_numpy(v) for k, v in trained.checkpoints[checkpoint].items()}
        )
        self.module = module.double().eval()

    def hidden(self, split):
        batch = self.task.batch(split, np.arange(self.task.count(split)))
        with torch.inference_mode():
            return self.module.lstm(batch.inputs.double())[0].numpy()

    def weights(self, hidden):
        score = self.module.attention.score
        logits = hidden @ score.weight[0].detach().numpy() + score.bias.item()
        e = np.exp(logits - logits.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def losses(self, weights=None, context=None):
        """Squared errors of the test split in natural units under other weights."""
        data, hidden = self.trained.dataset, self.hidden("test")
        if context is None:
            context = np.einsum("sk,skd->sd", np.broadcast_to(weights, hidden.shape[:2]), hidden)
        readout = self.module.readout
        out = context @ readout.weight[0].detach().numpy() + readout.bias.item()
        forecast = out * data.target_scale + data.target_mean
        return (forecast - data.target[data.splits["test"]].astype(float)) ** 2


@pytest.fixture
def trained(make_trained):
    return make_trained("simple")


def expected(trained, name):
    plain = Plain(trained)
    hidden, train = plain.hidden("test"), plain.hidden("train")
    own = plain.weights(hidden)
    steps = hidden.shape[1]
    if name == "output_mean":
        mean = np.einsum("sk,skd->sd", plain.weights(train), train).mean(0)
        return plain.losses(context=np.broadcast_to(mean, (len(hidden), len(mean))))
    if name == "uniform":
        return plain.losses(np.full((1, steps), 1 / steps))
    if name == "position_mean":
        return plain.losses(plain.weights(train).mean(0)[None])
    if name == "permuted":
        order = np.random.default_rng(ORDER_SEED).permutation(len(hidden))  # one batch
        given = np.empty_like(own)
        given[order] = own[np.roll(order, -1)]
        return plain.losses(given)
    if name == "last_step":
        return plain.losses(np.eye(steps)[-1:])
    if name == "local_window":
        near = own * (np.arange(steps) > steps - 1 - 3)
        return plain.losses(near / near.sum(1, keepdims=True))
    if name == "untrained":
        before = Plain(trained, "untrained")
        return plain.losses(before.weights(before.hidden("test")))
    share = own * np.linalg.norm(hidden, axis=2)
    return plain.losses(share / share.sum(1, keepdims=True))


@pytest.mark.parametrize("name", ALL)
def test_losses_are_those_of_the_formula(trained, name) -> None:
    found = run(trained, names=[name], window=3)
    assert len(trained.dataset.splits["train"]) < 1024  # all of them are in the means
    assert found.schema == INTERVENTIONS.schema
    np.testing.assert_allclose(found["loss"], expected(trained, name), rtol=2e-4, atol=1e-5)


def test_the_stage_says_where_means_are_of_fewer_samples_than_asked_for(
    trained, monkeypatch
) -> None:
    said, there = [], len(trained.dataset.splits["train"])
    assert there < 512
    run(trained, said.append, names=["uniform"], mean_samples=600)
    assert said == [
        f"warning: means are of all {there} training samples there are, fewer than the 600 that "
        "intervention.mean_samples asks for"
    ]
    plain = Plain(trained)
    material.gather(plain.task, plain.module.float(), there, said.append)
    assert len(said) == 1, "as many as asked for are no matter"


@pytest.mark.parametrize("name", ["uniform", "output_mean"])
def test_batches_change_nothing_but_the_order_of_work(trained, monkeypatch, name) -> None:
    monkeypatch.setattr(losses, "BATCH", 7)
    assert len(losses.shuffled_batches(len(trained.dataset.splits["test"]))) > 2
    found = run(trained, names=[name])
    np.testing.assert_allclose(found["loss"], expected(trained, name), rtol=2e-4, atol=1e-5)


def test_delta_is_what_the_model_as_it_is_does_not_lose(trained) -> None:
    found, plain = run(trained, names=["uniform", "output_mean"]), Plain(trained)
    intact = plain.losses(plain.weights(plain.hidden("test")))
    for _, group in found.group_by("intervention"):
        np.testing.assert_allclose(group["loss"] - group["delta"], intact, rtol=2e-4, atol=1e-5)
    assert found["item"].to_list() == 2 * list(range(len(intact)))
    names = trained.dataset.unit_names
    assert found["unit"].to_list() == 2 * [names[u] for u in trained.dataset.units]


def test_one_head_is_the_whole_of_attention(trained) -> None:
    assert run(trained, names=["single_head", "cumulative_heads"]).is_empty()


@pytest.mark.parametrize("kind", ["additive", "scaled_dot"])
def test_every_kind_of_attention_takes_every_intervention(make_trained, kind) -> None:
    found = run(make_trained(kind))
    assert found["intervention"].unique(maintain_order=True).to_list() == ALL
    assert found["loss"].is_finite().all()
    changed = found.group_by("intervention").agg(pl.col("delta").abs().max())
    assert (changed["delta"] > 0).all()


def test_the_same_run_gives_the_same_bytes(trained) -> None:
    assert run(trained).equals(run(trained))


def test_a_run_that_did_not_end_well_has_no_rows(trained) -> None:
    trained.outcome = trained.outcome.__class__("diverged", reason="it did", parameters=1)
    assert run(trained).is_empty()
