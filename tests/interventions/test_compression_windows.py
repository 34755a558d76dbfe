"""Shortened windows, against forecasts from the steps that are left, in float64."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from attnpipe.core.outcome import Outcome
from attnpipe.interventions.compression.run import compress
from attnpipe.models.build import build_model
from attnpipe.pipeline.config import load_study
from attnpipe.schema.compression import CompressionSpec
from attnpipe.schema.model import parse_model
from attnpipe.tables.compression import COMPRESSION_LOSSES

CONFIG = Path(__file__).parents[2] / "config"
SPEC = CompressionSpec(
    policies=["recent", "static_top", "top_attention"], budgets=[0.3, 0.6, 1.0], draws=1
)
READER = {"kind": "reader", "width": 6, "attention": {"kind": "query", "size": 4}}
LSTM = {"kind": "lstm", "hidden": 5, "layers": 1}
WINDOW, FEATURES = 8, 3


class Made:
    """A model of random weights, its table, and the same model in float64."""

    def __init__(self, dataset, spec) -> None:
        self.data = dataset
        model = parse_model(spec)
        self.module = build_model(model, FEATURES, WINDOW, seed=3)
        weights = {"best": {k: v.numpy().copy() for k, v in self.module.state_dict().items()}}
        self.table = compress(dataset, model, weights, Outcome("ok"), SPEC, name="m", seed=3)
        self.module.double().eval()

    def loss(self, item: int, kept: np.ndarray, places: np.ndarray | None) -> float:
        """The squared error of one window of which some steps are read."""
        end = self.data.splits["test"][item]
        window = self.data.features[end - WINDOW + 1 : end + 1].astype(np.float64)[kept]
        given = [torch.tensor(window)[None]]
        if places is not None:
            given.append(torch.tensor(places)[None])
        with torch.inference_mode():
            out = self.module(*given).item()
        forecast = out * self.data.target_scale + self.data.target_mean
        return (forecast - float(self.data.target[end])) ** 2

    def rows(self, **where) -> pl.DataFrame:
        return self.table.filter(*(pl.col(k) == v for k, v in where.items())).sort("item")


@pytest.fixture(scope="module")
def reader(dataset) -> Made:
    return Made(dataset, READER)


@pytest.fixture(scope="module")
def lstm(dataset) -> Made:
    return Made(dataset, LSTM | {"attention": {"kind": "scaled_dot"}})


@pytest.fixture(scope="module")
def dataset():
    from tests.conftest import small_dataset

    return small_dataset(rows=400, window=WINDOW)


def test_a_reader_keeps_places_or_moves_steps_together(reader) -> None:
    assert reader.table.schema == COMPRESSION_LOSSES.schema
    count = len(reader.data.splits["test"])
    everything = np.arange(WINDOW)
    for budget, k in ((0.3, 2), (0.6, 4)):
        kept = np.arange(WINDOW - 1 - k, WINDOW)
        for moved, places in ((False, kept), (True, np.arange(k + 1))):
            rows = reader.rows(policy="recent", budget=budget, reindexed=moved)
            assert rows["item"].to_list() == list(range(count))
            expected = [reader.loss(i, kept, places) for i in range(count)]
            intact = [reader.loss(i, everything, everything) for i in range(count)]
            np.testing.assert_allclose(rows["loss"], expected, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(rows["loss"] - rows["delta"], intact, rtol=1e-4, atol=1e-4)
            assert rows["kept"].unique().to_list() == [k]
            assert rows["places"].unique().to_list() == [WINDOW - 1]
    one, other = (reader.rows(policy="recent", budget=0.3, reindexed=m)["loss"] for m in (0, 1))
    assert (one - other).abs().max() > 1e-3


def test_an_lstm_reads_what_is_left_one_after_the_other(lstm) -> None:
    assert not lstm.table["reindexed"].any()
    rows = lstm.rows(policy="recent", budget=0.6)
    expected = [lstm.loss(i, np.arange(3, WINDOW), None) for i in range(len(rows))]
    np.testing.assert_allclose(rows["loss"], expected, rtol=1e-4, atol=1e-4)


def attention_of(made: Made) -> np.ndarray:
    """Mean row of all queries, by hand: what each step before the last is given."""
    found = []
    for end in made.data.splits["test"]:
        window = made.data.features[end - WINDOW + 1 : end + 1].astype(np.float64)
        h = made.module.lstm(torch.tensor(window)[None])[0][0].detach().numpy()
        e = np.exp(h @ h.T / np.sqrt(h.shape[1]))
        found.append((e / e.sum(1, keepdims=True)).mean(0)[:-1])
    return np.array(found)


def test_measured_attention_is_the_mean_of_all_rows_that_are_read_out(lstm) -> None:
    attention = attention_of(lstm)
    for policy in ("top_attention", "static_top"):
        rows = lstm.rows(policy=policy, budget=0.3)
        selecting = (rows["split"] == "selection").to_numpy()
        for item in range(0, len(rows), 7):
            others = selecting & (np.arange(len(rows)) != item)
            by = attention[item] if policy == "top_attention" else attention[others].mean(0)
            kept = np.array([*np.sort(np.argsort(by)[-2:]), WINDOW - 1])
            assert rows["loss"][item] == pytest.approx(lstm.loss(item, kept, None), rel=1e-4)


def test_the_first_half_of_the_units_chooses_and_the_other_confirms(lstm) -> None:
    rows = lstm.rows(policy="recent", budget=0.3)
    names = np.array(lstm.data.unit_names, dtype=object)
    assert rows["unit"].to_list() == names[lstm.data.units].tolist()
    order = rows["unit"].unique(maintain_order=True).to_list()
    halves = {s: rows.filter(pl.col("split") == s)["unit"].unique(maintain_order=True).to_list()
              for s in ("selection", "confirmation")}  # fmt: skip
    assert halves["selection"] + halves["confirmation"] == order
    assert len(halves["selection"]) == len(order) // 2 > 0


def test_the_whole_window_costs_nothing(reader) -> None:
    whole = reader.rows(budget=1.0)
    assert set(whole["policy"]) == set(SPEC.policies)
    assert (whole["delta"] == 0).all()
    assert whole["kept"].unique().to_list() == [WINDOW - 1]


def test_the_trivial_loss_is_that_of_the_best_trivial_forecast(reader) -> None:
    data, rows = reader.data, reader.rows(policy="recent", budget=0.3, reindexed=False)
    ends = data.splits["test"]
    by_name = [(f[ends].astype(float) - data.target[ends]) ** 2 for f in data.trivial.values()]
    best = min(by_name, key=lambda loss: loss.mean())
    np.testing.assert_allclose(rows["trivial_loss"], best)


@pytest.mark.parametrize("attention", [{"kind": "simple"}, {"kind": "additive", "size": 3}])
def test_every_kind_of_attention_can_be_shortened(dataset, attention) -> None:
    made = Made(dataset, LSTM | {"attention": attention})
    rows = made.rows(policy="recent", budget=0.3)
    expected = [made.loss(i, np.arange(5, WINDOW), None) for i in range(len(rows))]
    np.testing.assert_allclose(rows["loss"], expected, rtol=1e-4, atol=1e-4)


def shortened(overrides: str, study: str = "ground_truth") -> list[tuple[str, int]]:
    return load_study(CONFIG, {"study": study, "overrides": overrides}).shortened


def test_windows_are_shortened_on_request() -> None:
    assert shortened("") == []
    assert shortened("compression.windows=true") == [("reader", seed) for seed in range(5)]
    assert shortened("compression.windows=true compression.policies=[]") == []
    fixed = "compression.windows=true models.reader.attention.kind=static models.reader.arms=[]"
    assert shortened(f"{fixed} ~models.reader.attention.size") == []
    assert {model for model, _ in shortened("", "induction")} == {"two_layers", "one_layer"}
