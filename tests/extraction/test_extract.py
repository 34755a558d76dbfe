"""Extraction: which rows are kept, in full or as states, and how the test split is scored."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from attnpipe.core.block import Block
from attnpipe.core.errors import UserError
from attnpipe.core.outcome import Outcome
from attnpipe.extraction.capture import samples_that_fit
from attnpipe.metrics.battery import Battery
from attnpipe.models.build import build_model

WINDOW, PROBE = 8, 8
ATTENTION = ["simple", "additive", "scaled_dot"]
CHECKPOINTS = ["untrained", "epoch_001", "epoch_002", "epoch_003", "best"]


def load(trained, checkpoint: str) -> torch.nn.Module:
    module = build_model(trained.model, 3, WINDOW, seed=0).eval()
    weights = trained.checkpoints[checkpoint]
    module.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
    return module


def rows_by_hand(trained, checkpoint: str) -> np.ndarray:
    """Attention of all probe samples by plain formulas, [sample, query, key]."""
    module = load(trained, checkpoint).double()
    inputs = torch.from_numpy(trained.dataset.windows(trained.dataset.probe)).double()
    with torch.no_grad():
        hidden, _ = module.lstm(inputs)
        kind = trained.model.attention.kind
        if kind == "simple":
            logits = module.attention.score(hidden).transpose(1, 2)
        elif kind == "additive":
            q, k = module.attention.query(hidden), module.attention.key(hidden)
            logits = module.attention.vector(torch.tanh(q[:, :, None] + k[:, None]))[..., 0]
        else:
            logits = hidden @ hidden.transpose(1, 2) / 2.0
        return logits.softmax(-1).numpy()


@pytest.mark.parametrize("kind", ATTENTION)
def test_all_rows_of_all_samples_at_all_checkpoints_in_order(make_trained, kind: str) -> None:
    trained = make_trained(kind)
    trained.checkpoints = dict(reversed(trained.checkpoints.items()))
    records = trained.extract().records
    assert [r.checkpoint for r in records] == CHECKPOINTS
    queries = [WINDOW - 1] if kind == "simple" else list(range(WINDOW))
    for record in records:
        assert record.layer == 0
        assert record.weights.dtype == np.float32
        assert record.weights.shape == (1, PROBE, len(queries), WINDOW)
        assert record.samples.tolist() == list(range(PROBE))
        assert record.query_positions.tolist() == queries
        assert record.key_positions.tolist() == list(range(WINDOW))
        assert record.support.shape == (1, 1, WINDOW)
        assert record.support.all()
        assert record.states == {}
        want = rows_by_hand(trained, record.checkpoint)
        np.testing.assert_allclose(record.weights[0], want, atol=1e-6)


@pytest.mark.parametrize("kind", ATTENTION)
def test_probe_batches_do_not_matter(make_trained, monkeypatch, kind: str) -> None:
    whole = make_trained(kind).extract().records
    monkeypatch.setattr("attnpipe.extraction.capture.BATCH", 3)
    for one, other in zip(whole, make_trained(kind).extract().records, strict=True):
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-6)
        assert one.samples.tolist() == other.samples.tolist()


@pytest.mark.parametrize("kind", ["additive", "scaled_dot"])
def test_above_the_limit_states_cover_all_samples_and_a_balanced_subset_is_kept(
    make_trained, metrics, monkeypatch, kind: str
) -> None:
    monkeypatch.setattr("attnpipe.extraction.capture.BATCH", 3)
    trained = make_trained(kind)
    per_sample = len(CHECKPOINTS) * WINDOW * WINDOW * 4
    extracted = trained.extract(max_megabytes=5.9 * per_sample / 1e6)
    full = trained.extract().records
    for record, whole in zip(extracted.records, full, strict=True):
        assert record.samples.tolist() == [0, 1, 6, 7]  # first and last of each half
        np.testing.assert_allclose(record.weights, whole.weights[:, record.samples], atol=1e-6)
        assert set(record.states) == {"battery"}
        reference = Battery(metrics)
        reference.update(
            Block(
                whole.weights,
                whole.support,
                whole.query_positions,
                whole.key_positions,
                whole.samples,
            )
        )
        state = Battery.from_state(record.states["battery"]).state()
        assert set(state) == set(reference.state())
        for name, array in reference.state().items():
            np.testing.assert_allclose(state[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def test_exactly_at_the_limit_everything_is_kept(make_trained) -> None:
    limit = PROBE * len(CHECKPOINTS) * WINDOW * WINDOW * 4 / 1e6
    trained = make_trained("additive")
    assert len(trained.extract(limit).records[0].samples) == PROBE
    assert len(trained.extract(limit * 0.999).records[0].samples) == PROBE - 2


def test_one_sample_of_each_half_is_always_kept(make_trained) -> None:
    records = make_trained("scaled_dot").extract(max_megabytes=1e-6).records
    assert all(r.samples.tolist() == [0, 1] for r in records)
    assert all(r.states["battery"] for r in records)


@pytest.mark.parametrize(
    ("kind", "row"),
    [("simple", "only"), ("additive", "last_query"), ("scaled_dot", "mean_query"), ("mlp", "only")],
)
def test_probe_says_which_row_was_published(make_trained, kind: str, row: str) -> None:
    probe = make_trained(kind).extract().probe
    assert probe.published_row == row
    assert probe.final == "best"
    assert probe.averaged_over == ()
    assert probe.has_seeds
    assert probe.halves.tolist() == [0, 1] * 4


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_models_without_attention_have_no_records(make_trained, kind: str) -> None:
    assert make_trained(kind).extract().records == []


def test_extraction_is_repeatable_to_the_bit(make_trained) -> None:
    one, other = make_trained("additive").extract(), make_trained("additive").extract()
    assert all(
        a.weights.tobytes() == b.weights.tobytes()
        for a, b in zip(one.records, other.records, strict=True)
    )


def test_diverged_run_has_its_checkpoints(make_trained) -> None:
    trained = make_trained("additive")
    trained.outcome = Outcome("diverged", reason="because")
    for name in ("epoch_003", "best"):
        del trained.checkpoints[name]
    extracted = trained.extract()
    assert [r.checkpoint for r in extracted.records] == CHECKPOINTS[:3]


def damage(weights: dict, how: str) -> None:
    if how == "nan":
        weights["lstm.weight_hh_l0"][2, 1] = np.nan
    elif how == "shape":
        weights["lstm.weight_hh_l0"] = weights["lstm.weight_hh_l0"][:-1]
    elif how == "missing":
        del weights["lstm.weight_hh_l0"]
    else:
        weights["lstm.weight_hh_l7"] = weights["lstm.weight_hh_l0"]


@pytest.mark.parametrize("checkpoint", ["untrained", "epoch_002", "best"])
@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("nan", "'lstm.weight_hh_l0' {} holds 1 values that are NaN or infinite: "),
        ("shape", r"'lstm.weight_hh_l0' {} has shape \(15, 4\) instead of \(16, 4\): "),
        ("missing", "'lstm.weight_hh_l0' {} is missing: "),
        ("unknown", "'lstm.weight_hh_l7' {} belongs to no part of the model: "),
    ],
)
def test_damaged_checkpoint_is_named_with_its_tensor_and_the_cure(
    make_trained, how: str, fault: str, checkpoint: str
) -> None:
    trained = make_trained("simple")
    damage(trained.checkpoints[checkpoint], how)
    where = f"of checkpoint '{checkpoint}' of run 'm/seed-7'"
    with pytest.raises(UserError, match=fault.format(where) + "delete the run's checkpoints"):
        trained.extract()


@pytest.mark.parametrize("halves", [np.arange(20) % 2, np.repeat([0, 1], 10)])
def test_subset_is_even_over_halves(halves: np.ndarray) -> None:
    kept = samples_that_fit(halves, bytes_per_sample=100, max_bytes=999.0)
    assert len(kept) == 8
    assert halves[kept].sum() == 4
    assert samples_that_fit(halves, 100, 2000.0).tolist() == list(range(20))
    assert samples_that_fit(halves, 0, 1.0).tolist() == list(range(20))


def test_target_scale_does_not_touch_attention(make_trained) -> None:
    trained = make_trained("simple")
    before = trained.extract().records[-1].weights
    trained.dataset = replace(trained.dataset, target_scale=5.0)
    assert np.array_equal(before, trained.extract().records[-1].weights)


def test_a_model_that_cannot_be_looked_at_is_told_by_the_probe(make_trained, monkeypatch) -> None:
    trained = make_trained("simple")

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such hook")

    monkeypatch.setattr("attnpipe.extraction.run.capture", refuse)
    found = trained.extract()
    assert found.records == []
    assert str(found.probe.failure).startswith("RuntimeError: no such hook (")


def test_of_a_failed_run_nothing_is_asked(make_trained, monkeypatch) -> None:
    trained = make_trained("simple")
    trained.outcome = Outcome("failed", "its code raised")
    monkeypatch.setattr("attnpipe.extraction.run.build_model", None)
    found = trained.extract()
    assert (found.records, found.probe.failure) == ([], "its code raised")
