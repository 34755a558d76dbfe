"""The eight models: published sizes, initialisation, and the attention they show."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from pydantic import TypeAdapter

from attnpipe.attention.hooks import observing, overriding
from attnpipe.core.errors import UserError
from attnpipe.models.build import build_model, count_parameters
from attnpipe.models.registry import ATTENTIONS, LAYERS, MODELS
from attnpipe.schema.model import ModelSpec, SavedModel

CONFIG = Path(__file__).parents[2] / "config"
FEATURES, WINDOW = 5, 50
PUBLISHED = {
    "mlp_last": 4_609,
    "mlp_flat": 40_449,
    "lstm_small": 84_801,
    "lstm_small_simple": 84_866,
    "lstm_medium": 597_633,
    "lstm_medium_simple": 597_762,
    "lstm_medium_additive": 630_529,
    "lstm_medium_scaled_dot": 597_633,
}
ATTENTION_MODELS = [name for name in PUBLISHED if name.count("_") > 1]


def spec_of(name: str, scale: str = "quick"):
    sizes = OmegaConf.load(CONFIG / "scale" / f"{scale}.yaml")
    config = OmegaConf.merge(
        {"sizes": sizes.sizes}, OmegaConf.load(CONFIG / "model" / f"{name}.yaml")
    )
    container = OmegaConf.to_container(config, resolve=True)
    del container["sizes"]
    return TypeAdapter(ModelSpec).validate_python(container)


def windows(samples: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, WINDOW, FEATURES, generator=generator)


class Seen:
    def __init__(self) -> None:
        self.blocks: list = []

    def observe(self, layer: int, block) -> None:
        self.blocks.append(block)


def look(model: torch.nn.Module, inputs: torch.Tensor):
    seen = Seen()
    with observing(seen), torch.inference_mode():
        model(inputs)
    (block,) = seen.blocks
    return block


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_count_at_published_scale(name: str) -> None:
    assert count_parameters(spec_of(name, "published"), FEATURES, WINDOW) == PUBLISHED[name]


def test_every_config_of_a_model_is_known_here() -> None:
    configs = {p.stem: OmegaConf.load(p) for p in (CONFIG / "model").glob("*.yaml")}
    trained = {name for name, config in configs.items() if config.get("kind") in ("mlp", "lstm")}
    assert {name for name in trained if not name.startswith("ground_truth")} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_counting_agrees_with_the_model_that_is_built(name: str) -> None:
    spec = spec_of(name)
    built = sum(p.numel() for p in build_model(spec, FEATURES, WINDOW, seed=0).parameters())
    assert count_parameters(spec, FEATURES, WINDOW) == built


@pytest.mark.parametrize("name", PUBLISHED)
def test_one_forecast_per_window_with_gradients_everywhere(name: str) -> None:
    model = build_model(spec_of(name), FEATURES, WINDOW, seed=1)
    forecast = model(windows())
    assert forecast.shape == (3,)
    forecast.square().sum().backward()
    # the bias of a softmax's logits shifts them all: its gradient is 0, but it has one
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert all(
        p.grad.abs().sum() > 0 for n, p in model.named_parameters() if n != "attention.score.bias"
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_initialisation_depends_on_the_seed_and_nothing_else(name: str) -> None:
    spec = spec_of(name)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = build_model(spec, FEATURES, WINDOW, seed=7).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(456)
    second = build_model(spec, FEATURES, WINDOW, seed=7).state_dict()
    other = build_model(spec, FEATURES, WINDOW, seed=8).state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert all(not torch.equal(first[k], other[k]) for k in first)


@pytest.mark.parametrize("name", ATTENTION_MODELS)
def test_attention_starts_from_its_baselines_weights(name: str) -> None:
    spec = spec_of(name)
    mine = build_model(spec, FEATURES, WINDOW, seed=7).state_dict()
    theirs = build_model(spec_of(spec.baseline), FEATURES, WINDOW, seed=7).state_dict()
    assert all(torch.equal(mine[k], v) for k, v in theirs.items())


@pytest.mark.parametrize("name", ATTENTION_MODELS)
def test_every_querys_row_is_seen_and_is_a_distribution(name: str) -> None:
    block = look(build_model(spec_of(name), FEATURES, WINDOW, seed=1), windows())
    steps = list(range(WINDOW))
    queries = [WINDOW - 1] if name.endswith("simple") else steps
    assert block.weights.shape == (1, 3, len(queries), WINDOW)
    assert block.query_positions.tolist() == queries
    assert block.key_positions.tolist() == steps
    torch.testing.assert_close(block.weights.sum(-1), torch.ones(1, 3, len(queries)))
    assert block.support.all()


@pytest.mark.parametrize("name", ["lstm_medium_additive", "lstm_medium_scaled_dot"])
def test_rows_of_different_queries_differ(name: str) -> None:
    model = build_model(spec_of(name), FEATURES, WINDOW, seed=1)
    with torch.no_grad():  # freshly initialised, tanh is so nearly linear that rows hardly differ
        for parameter in model.attention.parameters():
            parameter *= 20
    assert look(model, windows()).weights.std(2).max() > 1e-5


@pytest.mark.parametrize("name", ATTENTION_MODELS)
def test_forecast_equals_the_written_out_formula(name: str) -> None:
    model = build_model(spec_of(name), FEATURES, WINDOW, seed=2).double()
    inputs = windows().double()
    with torch.inference_mode():
        got = model(inputs)
        hidden, _ = model.lstm(inputs)
        part = model.attention
        if name.endswith("simple"):
            logits = hidden @ part.score.weight[0] + part.score.bias
            context = (logits.softmax(1)[:, :, None] * hidden).sum(1)
        elif name.endswith("additive"):
            q = hidden @ part.query.weight.T
            k = hidden @ part.key.weight.T
            logits = torch.tanh(q[:, :, None] + k[:, None]) @ part.vector.weight[0]
            context = (logits.softmax(2) @ hidden).sum(1)
        else:
            logits = hidden @ hidden.transpose(1, 2) / hidden.shape[2] ** 0.5
            context = (logits.softmax(2) @ hidden).mean(1)
        want = context @ model.readout.weight[0] + model.readout.bias
    torch.testing.assert_close(got, want)


def test_scaled_dot_has_no_parameters_of_its_own() -> None:
    model = build_model(spec_of("lstm_medium_scaled_dot"), FEATURES, WINDOW, seed=2)
    assert list(model.attention.parameters()) == []


@pytest.mark.parametrize("name", ATTENTION_MODELS)
def test_overrides_reach_the_forecast(name: str) -> None:
    model = build_model(spec_of(name), FEATURES, WINDOW, seed=2)
    inputs = windows()
    with torch.inference_mode():
        hidden, _ = model.lstm(inputs)
        with overriding(lambda layer, block: torch.ones_like(block.weights)):
            got = model(inputs)
        summed = WINDOW if name.endswith("additive") else 1
        want = model.readout(hidden.mean(1) * summed).squeeze(-1)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("lstm_small", "only"),
        ("lstm_small_simple", "only"),
        ("lstm_medium_additive", "last_query"),
        ("lstm_medium_scaled_dot", "mean_query"),
    ],
)
def test_published_row(name: str, row: str) -> None:
    assert build_model(spec_of(name), FEATURES, WINDOW, seed=0).published_row == row


def test_mlp_on_the_last_step_ignores_all_others() -> None:
    model = build_model(spec_of("mlp_last"), FEATURES, WINDOW, seed=0)
    inputs, other = windows(), windows(seed=1)
    other[:, -1] = inputs[:, -1]
    assert torch.equal(model(inputs), model(other))
    flat = build_model(spec_of("mlp_flat"), FEATURES, WINDOW, seed=0)
    assert not torch.equal(flat(inputs), flat(other))


def test_dropout_acts_between_layers_in_training_only() -> None:
    spec = spec_of("lstm_small").model_copy(update={"dropout": 0.5})
    model = build_model(spec, FEATURES, WINDOW, seed=0)
    inputs = windows()
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_saved_weights_cannot_be_trained() -> None:
    with pytest.raises(UserError, match="model 'theirs' has kind 'saved'"):
        build_model(SavedModel(label="theirs", kind="saved"), FEATURES, WINDOW, seed=0)


def test_registries_hold_what_the_schema_allows() -> None:
    assert set(MODELS) == {"mlp", "lstm", "reader", "transformer"}
    assert set(ATTENTIONS) == {"simple", "additive", "scaled_dot", "query", "uniform", "static"}
    assert set(LAYERS) == {"self", "uniform", "static"}
    assert all(
        registry.load(name) for registry in (MODELS, ATTENTIONS, LAYERS) for name in registry
    )
