"""Attention in float64 from q and k alone, shown to the plain folds; how close is the same."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnpipe.attention.adapter.scores import Pattern, Scores
from attnpipe.attention.kernel.streaming import StreamingBattery
from attnpipe.core.block import Block
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[3, 1, 30], recent_k=[2, 9])
CLOSE = 1e-5


@dataclass(frozen=True)
class Case:
    """A layer, and which keys its queries see, ``[sample, query, key]``."""

    scores: Scores
    visible: np.ndarray


def draw(
    samples: int = 1,
    heads: int = 2,
    queries: int = 90,
    keys: int = 90,
    *,
    kv_heads: int = 2,
    seed: int = 0,
    spread: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return q, k, v; the logits' standard deviation is `spread`."""
    made = torch.Generator().manual_seed(seed)
    q = torch.randn(samples, heads, queries, 8, generator=made) * spread
    k, v = (torch.randn(samples, kv_heads, keys, 8, generator=made) for _ in range(2))
    return q, k, v


def make(
    qkv: tuple[Tensor, Tensor, Tensor],
    visible: np.ndarray | None = None,
    *,
    expected: Pattern | None = None,
    softcap: float | None = None,
    bias: Tensor | None = None,
    real: np.ndarray | None = None,
    scale: float = 8**-0.5,
    sample: int = 3,
) -> Case:
    """Return a layer; causal without a mask where `visible` is None. `real`: no padding."""
    q, k, v = qkv
    samples, queries, keys = len(q), q.shape[2], k.shape[2]
    causal = visible is None
    if visible is None:
        visible = np.arange(queries)[:, None] >= np.arange(keys)
    tokens = None if real is None else torch.from_numpy(np.array(real))
    mask = None if causal else torch.tensor(np.broadcast_to(visible, (samples, queries, keys)))
    scores = Scores(
        q=q,
        k=k,
        v=v,
        scale=scale,
        softcap=softcap,
        bias=bias,
        mask=None if mask is None else mask[:, None],
        causal=causal,
        expected=Pattern(causal=causal) if expected is None else expected,
        real_queries=tokens,
        real_keys=tokens,
        query_positions=torch.arange(queries) + 4,
        key_positions=torch.arange(keys) + 4,
        samples=torch.arange(samples) + sample,
    )
    return Case(scores, np.broadcast_to(visible, (samples, queries, keys)))


def exact_weights(case: Case) -> np.ndarray:
    """Return ``[sample, head, query, key]``; 0 in rows that see nothing."""
    scores = case.scores
    q, k = scores.q.double().numpy(), scores.k.double().numpy()
    k = np.repeat(k, q.shape[1] // k.shape[1], axis=1)
    logits = np.einsum("shqd,shkd->shqk", q, k) * scores.scale
    if scores.softcap is not None:
        logits = np.tanh(logits / scores.softcap) * scores.softcap
    if scores.bias is not None:
        logits = logits + scores.bias.double().numpy()
    visible = case.visible[:, None]
    logits = np.where(visible, logits, -np.inf)
    with np.errstate(invalid="ignore"):
        e = np.exp(logits - logits.max(-1, keepdims=True))
        weights: np.ndarray = np.where(
            visible.any(-1, keepdims=True), e / e.sum(-1, keepdims=True), 0.0
        )
    return weights


def exact(case: Case) -> StreamingBattery:
    """Return the plain folds of exact weights."""
    battery, scores = StreamingBattery(OPTIONS), case.scores
    support = case.visible
    if scores.real_queries is not None:
        support = support & scores.real_queries.numpy()[..., None]
    battery.update(
        Block(
            exact_weights(case).swapaxes(0, 1),
            support,
            scores.query_positions.numpy(),
            scores.key_positions.numpy(),
            scores.samples.numpy(),
        )
    )
    return battery


def assert_alike(
    got: StreamingBattery,
    want: StreamingBattery,
    close: float = CLOSE,
    without: tuple[str, ...] = (),
) -> None:
    """Compare all that two batteries hold: numbers of rows exactly, means within `close`."""
    ours, theirs = got.state(), want.state()
    assert set(ours) == set(theirs)
    for key in ours:
        if "/axis/" in key or key.endswith("/rows") or key.startswith(("peaks/", "validity/")):
            assert np.array_equal(ours[key], theirs[key]), key
    for name in (x for x in want.means.metrics if x not in without):
        mine, its = got.means.means(name), want.means.means(name)
        assert np.array_equal(mine.item_count, its.item_count), name
        np.testing.assert_allclose(mine.item_mean, its.item_mean, close, close, err_msg=name)
    rows = np.maximum(1.0, want.incoming.rows)[..., None]
    for fold in ("incoming", "lags"):
        for key in ("mass", "exposure"):
            mine, its = (state[f"{fold}/sum/{key}"] / rows for state in (ours, theirs))
            np.testing.assert_allclose(mine, its, 0, close if key == "mass" else 1e-12)
    for key in ("entropy", "log_n"):
        mine, its = (state[f"lags/sum/{key}"] / rows[..., 0] for state in (ours, theirs))
        np.testing.assert_allclose(mine, its, close, close)
