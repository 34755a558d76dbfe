"""What is compared: each method reads a text once and returns the mean of every metric."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from benchmarks.capturing.full_weights import over_layers, row_by_row, vectorized
from benchmarks.capturing.model import own, tokens
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.attention.kernel.fused import FusedBattery
from attnpipe.attention.kernel.streaming import StreamingBattery
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.text import TokenText
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.metrics.tokens.lags import LagProfile
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

Summary = dict[str, float]
OPTIONS = MetricsSpec()


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
            return over_layers([vectorized(layer[0]) for layer in layers])
        return over_layers([row_by_row(layer[0].numpy()) for layer in layers])


def _observed(model: PreTrainedModel, ids: Tensor, method: str) -> Summary:
    observer = _observer(method, ids)
    with torch.inference_mode(), adapted(model), observing(observer):
        model(ids, use_cache=False)
    return over_layers([_summary(fold) for fold in observer.folds.values()])


def _observer(method: str, ids: Tensor) -> LayerFolds:
    if method == "fused, C":
        return FusedBattery(OPTIONS, "native")
    if method == "fused, torch and numpy":
        return FusedBattery(OPTIONS, "array")
    if method == "plain folds":
        return LayerFolds(lambda layer: StreamingBattery(OPTIONS))
    text = Texts.of({0: _text(ids)})
    return LayerFolds(lambda layer: TokenBattery(OPTIONS, text))


def _text(ids: Tensor) -> TokenText:
    """Return the tokens as those of a text; their characters do not matter here."""
    n = ids.shape[1]
    place = np.arange(n)
    return TokenText("x" * n, ids[0].numpy(), np.stack([place, place + 1], -1), np.zeros(n, bool))


def _summary(fold: StreamingBattery | TokenBattery) -> Summary:
    if isinstance(fold, TokenBattery):
        view = fold.views["all", None]
        return _means(view.means) | _profiles(view.incoming, view.lags)
    count = fold.peaks.count.sum(axis=0)
    peak_lag = float(count @ fold.peaks.lags / count.sum()) if count.any() else np.nan
    return _means(fold.means) | _profiles(fold.incoming, fold.lags) | {"peak_lag": peak_lag}


def _means(means: RowMeans) -> Summary:
    return {name: float(np.nanmean(means.means(name).mean)) for name in means.metrics}


def _profiles(incoming: Incoming, lags: LagProfile) -> Summary:
    by_lag = lags.of(0)
    return {
        "incoming_first": float(incoming.of(0).mass[:, 0].mean()),
        "mass_at_lag_1": float(by_lag.mass[:, by_lag.lags == 1].mean()),
    }
