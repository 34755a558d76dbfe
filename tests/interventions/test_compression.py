"""Shortened inputs: what is kept, and what the model makes of it."""

from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from attnpipe.core.outcome import Outcome
from attnpipe.data.induction import prepare
from attnpipe.interventions.compression.policies import (
    Context,
    choices,
    keep,
    kept_of,
    typical_of,
)
from attnpipe.interventions.compression.run import compress
from attnpipe.models.build import build_model
from attnpipe.schema.compression import CompressionSpec, Policy
from attnpipe.schema.data import InductionData
from attnpipe.schema.model import parse_model
from attnpipe.tables.compression import COMPRESSION_LOSSES


def context(items: int = 4, places: int = 11, seed: int = 0) -> Context:
    attention = np.random.default_rng(seed).dirichlet(np.ones(places), items)
    return Context(np.arange(items), attention, attention.mean(0, keepdims=True))


@given(places=st.integers(2, 40), share=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_every_policy_keeps_so_many_distinct_places_in_order(places, share, seed) -> None:
    of = context(3, places, seed)
    k = kept_of(share, places)
    for policy in get_args(Policy):
        found = keep(policy, of, k)
        assert found.shape[1] == k
        assert (np.diff(found, axis=1) > 0).all()
        assert found.min() >= 0
        assert found.max() < places


def test_what_each_policy_keeps() -> None:
    of = context()
    assert keep("recent", of, 3).tolist() == [[8, 9, 10]]
    assert keep("sink_recent", of, 3).tolist() == [[0, 9, 10]]
    assert keep("sink_recent", of, 1).tolist() == [[0]]
    assert keep("uniform", of, 4).tolist() == [[1, 4, 7, 10]]
    for row, kept in zip(of.attention, keep("top_attention", of, 3), strict=True):
        assert set(kept) == set(np.argsort(row)[-3:])
    assert set(keep("static_top", of, 3)[0]) == set(np.argsort(of.typical[0])[-3:])
    one, other = keep("random", of, 3, 0), keep("random", of, 3, 1)
    assert one.shape == (4, 3)
    assert not np.array_equal(one, other)
    assert np.array_equal(one, keep("random", of, 3, 0))


def test_of_equally_attended_places_the_newer_is_kept() -> None:
    of = Context(np.zeros(1, dtype=np.int64), np.ones((1, 5)), np.ones((1, 5)))
    assert keep("top_attention", of, 2).tolist() == [[3, 4]]


def test_random_places_belong_to_the_item_whoever_is_read_with_it() -> None:
    of = context(places=20)
    alone = Context(np.array([2]), of.attention[[2]], None)
    assert np.array_equal(keep("random", alone, 4)[0], keep("random", of, 4)[2])
    assert len({tuple(row) for row in keep("random", of, 4)}) == 4


def test_no_item_tells_what_of_itself_is_typical() -> None:
    attention = np.random.default_rng(1).dirichlet(np.ones(5), 4)
    chosen_on = np.array([True, False, True, True])
    found = typical_of(attention, chosen_on)
    assert found is not None
    assert np.allclose(found[0], attention[[2, 3]].mean(0))
    assert np.allclose(found[1], attention[[0, 2, 3]].mean(0))
    assert typical_of(attention, np.array([True, False, False, False])) is None
    none = Context(np.arange(4), attention, None)
    spec = CompressionSpec(policies=["static_top", "recent"], budgets=[0.4])
    assert [c.policy for c in choices(none, spec)] == ["recent"]


def test_a_budget_that_keeps_everything_is_no_choice() -> None:
    spec = CompressionSpec(policies=["recent", "random"], budgets=[0.5, 0.99], draws=2)
    found = [(c.policy, c.budget, c.draw) for c in choices(context(places=3), spec)]
    assert found == [("recent", 0.5, 0), ("random", 0.5, 0), ("random", 0.5, 1)]


def test_the_whole_input_is_a_choice_that_leaves_nothing_out() -> None:
    spec = CompressionSpec(policies=list(get_args(Policy)), budgets=[0.5, 1.0], draws=2)
    whole = [c for c in choices(context(places=3), spec) if c.everything]
    assert [(c.policy, c.draw) for c in whole] == [(policy, 0) for policy in get_args(Policy)]
    assert all((c.kept == np.arange(3)).all() for c in whole)


def test_at_least_one_budget_removes_something() -> None:
    with pytest.raises(ValidationError, match=r"budgets is \[1\], which removes nothing"):
        CompressionSpec(budgets=[1.0])


SPEC = CompressionSpec(
    policies=["recent", "static_top", "top_attention"], budgets=[0.3, 0.6, 1.0], draws=1
)


@pytest.fixture(scope="module")
def made():
    data = prepare(
        InductionData(
            kind="induction", name="r", lead=0, window=10, period=[3, 5], vocabulary=7,
            train_windows=4, validation_windows=6, test_windows=5, probe_samples=2,
        ),
        cache=Path(),
    )  # fmt: skip
    spec = parse_model({
        "kind": "transformer", "width": 8, "layers": 2, "heads": 2, "attention": {"kind": "self"},
    })  # fmt: skip
    model = build_model(spec, 7, 10, seed=3)
    weights = {"best": {n: p.detach().numpy() for n, p in model.named_parameters()}}
    table = compress(data, spec, weights, Outcome("ok"), SPEC, name="m", seed=3)
    return data, model.double(), spec, weights, table


def loss_of(model, tokens, kept, positions) -> float:
    """The loss of the last token, from a forward pass over one sequence alone."""
    with torch.inference_mode():
        logits = model(torch.tensor(tokens[kept])[None].long(), torch.tensor(positions)[None])
    return -float(logits[0, -1].log_softmax(-1)[int(tokens[-1])])


def test_losses_are_those_of_the_kept_tokens_alone(made) -> None:
    data, model, _, _, table = made
    assert table.schema == COMPRESSION_LOSSES.schema
    for split, said in (("validation", "selection"), ("test", "confirmation")):
        for item, sequence in enumerate(data.splits[split]):
            tokens = data.tokens[sequence]
            whole = loss_of(model, tokens, np.arange(10), np.arange(10))
            for budget in (0.3, 0.6):
                k = round(budget * 9)
                kept = np.array([*range(9 - k, 9), 9])
                for moved, positions in ((False, kept), (True, np.arange(k + 1))):
                    row = table.filter(
                        (pl.col("policy") == "recent") & (pl.col("budget") == budget)
                        & (pl.col("split") == said) & (pl.col("item") == item)
                        & (pl.col("reindexed") == moved)
                    ).row(0, named=True)  # fmt: skip
                    loss = loss_of(model, tokens, kept, positions)
                    assert row["loss"] == pytest.approx(loss, abs=1e-5)
                    assert row["delta"] == pytest.approx(loss - whole, abs=1e-5)
                    assert (row["kept"], row["places"]) == (k, 9)
                    assert row["trivial_loss"] == pytest.approx(np.log(7))


def test_attention_that_chooses_is_the_mean_of_the_last_row(made) -> None:
    """Recomputed by hand from the model's own weights, layer by layer."""
    data, model, _, _, table = made
    for item, sequence in enumerate(data.splits["validation"]):
        tokens = torch.tensor(data.tokens[sequence, :-1])[None].long()
        rows, hidden = [], model.embed(tokens)
        for layer in model.layers:
            placed = hidden + layer.position[torch.arange(10)][None]
            q, k = layer.split(layer.query(placed)), layer.split(layer.key(placed))
            logits = (q @ k.transpose(-1, -2)) / 2.0
            logits = logits.masked_fill(~torch.ones(10, 10).tril().bool(), -torch.inf)
            rows.append(logits.softmax(-1)[0, :, -1].mean(0))
            hidden = hidden + layer(hidden, torch.arange(10)[None])
        attention = torch.stack(rows).mean(0)[:9].detach().numpy()
        kept = np.sort(np.argsort(attention)[-3:])
        row = table.filter(
            (pl.col("policy") == "top_attention") & (pl.col("budget") == 0.3)
            & (pl.col("split") == "selection") & (pl.col("item") == item) & ~pl.col("reindexed")
        ).row(0, named=True)  # fmt: skip
        places = np.array([*kept, 9])
        expected = loss_of(model, data.tokens[sequence], places, places)
        assert row["loss"] == pytest.approx(expected, abs=1e-5)


def test_all_tokens_cost_nothing(made) -> None:
    data, model, _, _, table = made
    whole = table.filter(pl.col("budget") == 1)
    assert set(whole["policy"]) == set(SPEC.policies)
    assert (whole["delta"] == 0).all()
    one = whole.filter((pl.col("split") == "confirmation") & (pl.col("item") == 2))
    tokens = data.tokens[data.splits["test"][2]]
    expected = loss_of(model, tokens, np.arange(10), np.arange(10))
    np.testing.assert_allclose(one["loss"], expected, atol=1e-5)


def test_a_run_that_did_not_end_well_has_no_rows(made) -> None:
    data, _, spec, weights, _ = made
    bad = compress(data, spec, weights, Outcome("diverged", "NaN"), SPEC, name="m", seed=3)
    assert bad.equals(COMPRESSION_LOSSES.frame())
