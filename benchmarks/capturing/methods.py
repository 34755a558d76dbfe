"""What is compared: each method reads a text once and returns the mean of every metric."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from benchmarks.capturing.full_weights import WITHOUT_SINKS, over_layers, row_by_row, vectorized
from benchmarks.capturing.model import own, tokens
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.attention.kernel.fused_tokens import FusedTokenBattery
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.text import TokenText
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.masses import mass_on
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.metrics.tokens.view import View
from attnpipe.schema.analysis import MetricsSpec

Summary = dict[str, float]
OPTIONS = MetricsSpec()
OPEN = ExitStack()
"""Holds what is open as long as the process: a model is adapted once, and reads many texts."""


def prepare(method: str, folder: Path, layers: int, length: int) -> Callable[[], Summary | None]:
    """Return what runs a method once; None instead of a summary if it measures nothing."""
    torch.set_num_threads(1)
    own_attention = "eager" if method.startswith("eager") else "sdpa"
    model = AutoModel.from_pretrained(folder, attn_implementation=own_attention)
    own(model)
    ids = tokens(length)
    run = _method(model, method)
    run(ids[:, :8])  # loads what is loaded late, compiles the kernel
    return lambda: run(ids)


def _method(model: PreTrainedModel, method: str) -> Callable[[Tensor], Summary | None]:
    if method.startswith("eager"):
        return lambda ids: _eager(model, ids, method)
    if method == "sdpa":
        return lambda ids: _forward(model, ids)
    OPEN.enter_context(adapted(model))
    return lambda ids: _observed(model, ids, method)


def _forward(model: PreTrainedModel, ids: Tensor) -> None:
    with torch.inference_mode():
        model(ids, use_cache=False)


def _eager(model: PreTrainedModel, ids: Tensor, method: str) -> Summary | None:
    """Run a pass that keeps all weights, then reduce them."""
    if method == "eager":
        _forward(model, ids)
        return None
    with torch.inference_mode():
        layers = model(ids, use_cache=False, output_attentions=True).attentions
        if method == "eager, vectorized metrics":
            return over_layers([vectorized(layer[0], ids[0]) for layer in layers])
        return over_layers([row_by_row(layer[0].numpy(), ids[0].numpy()) for layer in layers])


def _observed(model: PreTrainedModel, ids: Tensor, method: str) -> Summary:
    observer = _observer(method, ids)
    with torch.inference_mode(), observing(observer):
        model(ids, use_cache=False)
    return over_layers([_summary(fold) for fold in observer.folds.values()])


def _observer(method: str, ids: Tensor) -> LayerFolds[TokenBattery]:
    texts = Texts.of({0: _text(ids)})
    if method.startswith("fused, C"):
        return FusedTokenBattery(OPTIONS, texts, "native")
    if method == "fused, torch and numpy":
        return FusedTokenBattery(OPTIONS, texts, "array")
    return LayerFolds(lambda layer: TokenBattery(OPTIONS, texts))


def _text(ids: Tensor) -> TokenText:
    """Return the tokens as those of a text; their characters do not matter here."""
    n = ids.shape[1]
    place = np.arange(n)
    return TokenText("x" * n, ids[0].numpy(), np.stack([place, place + 1], -1), np.zeros(n, bool))


def _summary(battery: TokenBattery) -> Summary:
    sinks = np.flatnonzero(battery.texts[0].sinks)
    received = battery.views["all", None].incoming.of(0)
    found = {"sink_mass": float(mass_on(received, sinks).mass.mean())}
    for name, condition in (("", None), (WITHOUT_SINKS, "sinks_removed")):
        own = _of_view(battery.views["all", condition])
        found |= {metric + name: value for metric, value in own.items()}
    return found


def _of_view(view: View) -> Summary:
    """Return what `full_weights.vectorized` returns of the same rows."""
    count = view.peaks.count.sum(axis=(0, 1))  # over heads and samples
    by_lag, received = view.lags.of(0), view.incoming.of(0)
    first, second = np.triu_indices(len(received.mass), 1)
    return (
        {name: float(np.nanmean(view.means.means(name).mean)) for name in view.means.metrics}
        | {
            name: float(view.scores.score(name).value.mean())
            for name in SCORES
            if name != "next_token"
        }
        | {
            "peak_lag": float(count @ view.peaks.lags / count.sum()) if count.any() else np.nan,
            "incoming_first": float(received.mass[:, 0].mean()),
            "mass_at_lag_1": float(by_lag.mass[:, by_lag.lags == 1].mean()),
            "head_distance": float(view.distances.mean()[first, second].mean()),
            "query_variation": float(view.variation.variation().mean()),
        }
    )
