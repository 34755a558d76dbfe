"""Every column of an engine's table, for any row of scores, against plain float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attnpipe.attention.kernel.engine import Engine, Kind, make_engine
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.table import FIXED, Layout
from attnpipe.schema.analysis import MetricsSpec

LAYOUT = Layout(MetricsSpec(top_k=[4, 1, 20], recent_k=[3, 300]))
NAMES = (*FIXED, *(f"top {k}" for k in LAYOUT.top), *(f"recent {k}" for k in LAYOUT.recent))
KINDS: tuple[Kind, ...] = ("native", "array")
SCALES = [0.0, 1e-6, 1e-2, 1.0, 5.0, 40.0, 1e4, 1e30]


@st.composite
def rows_of_scores(draw: st.DrawFn) -> np.ndarray:
    """Draw normal scores of any scale, some rounded to ties, some outliers, some −∞."""
    rows, n = draw(st.integers(1, 3)), draw(st.integers(1, 400))
    made = np.random.default_rng(draw(st.integers(0, 999)))
    scores = made.normal(size=(rows, n)) * draw(st.sampled_from(SCALES))
    if draw(st.booleans()):
        step = draw(st.sampled_from([0.5, 3.0]))
        scores = np.round(scores / step) * step
    for outlier in draw(st.lists(st.sampled_from([-1e3, -20.0, -1.0, 0.01, 8.0]), max_size=3)):
        scores[made.integers(rows), made.integers(n)] += outlier
    if draw(st.booleans()):
        hidden = made.random(scores.shape) < 0.3
        hidden[np.arange(rows), made.integers(n, size=rows)] = False
        scores[hidden] = -np.inf
    return scores.astype(np.float32)


def clusters(n: int, *centres: float, width: float = 1e-3) -> np.ndarray:
    """Scores that lie close together around few centres, far apart."""
    made = np.random.default_rng(1)
    scores = np.resize(centres, n) + made.uniform(0, width, n)
    return scores.astype(np.float32)[None]


def run(kind: Kind, scores: np.ndarray) -> tuple[Sums, np.ndarray]:
    rows, n = scores.shape
    engine: Engine = make_engine(LAYOUT, kind)
    sums = Sums(np.full((rows, LAYOUT.columns), np.nan), np.zeros(n), np.zeros(rows + n - 1))
    weights = torch.from_numpy(scores.copy())
    first, last = np.zeros(rows, np.int32), np.full(rows, n, np.int32)
    engine.rows(weights, first, last, np.ones(rows, bool), low=0, query=0, sums=sums)
    return sums, weights.numpy()


def expected(row: np.ndarray) -> dict[str, float]:
    """Return every column of one row, from float64 weights."""
    x = row.astype(np.float64) - row.max()
    p = np.exp(x) / np.exp(x).sum()
    n, peak = len(p), int(row.argmax())
    ascending, lag = np.sort(p), np.arange(len(p)) - peak
    mean, quarter = math.fsum(p * lag), n // 4
    return {
        "entropy": -math.fsum(v * math.log(v) for v in p if v > 0),
        "unevenness": n * math.fsum((p - 1 / n) ** 2),
        "ascending": math.fsum(ascending * np.arange(1, n + 1)),
        "largest": ascending[-1],
        "second": ascending[-2] if n > 1 else 0.0,
        "peak": peak,
        "offset": mean,
        "spread": math.sqrt(math.fsum(p * (lag - mean) ** 2)),
        "newest": math.fsum(p[n - quarter :]),
        "oldest": math.fsum(p[:quarter]),
        **{f"top {k}": math.fsum(ascending[-k:]) for k in LAYOUT.top},
        **{f"recent {k}": math.fsum(p[-k:]) for k in LAYOUT.recent},
    }


def gini(values: dict[str, float], n: int) -> float:
    return (2 * values["ascending"] - n - 1) / max(1, n - 1)


def deviation(values: dict[str, float], n: int) -> float:
    return math.sqrt(max(0.0, values["unevenness"]) / max(1, n - 1))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(scores=rows_of_scores())
@example(scores=clusters(300, 0.0))
@example(scores=clusters(300, 0.0, -9.0))
@example(scores=clusters(300, *[0.0] * 49, -25.0))
@example(scores=clusters(300, 0.0, -1e-3, width=0.0))
@example(scores=clusters(301, *[-3.0] * 99, 2.0, width=0.5))
@example(scores=clusters(60, 0.0, -1e-38, width=0.0))
@example(scores=np.float32([[*np.linspace(0.001, 0.01, 10), *[0.0] * 290]]))
@example(scores=np.float32([[-3e38, 3e38, 3e38, -3e38]]))
def test_any_row(kind: Kind, scores: np.ndarray) -> None:
    sums, weights = run(kind, scores)
    n = scores.shape[1]
    for got, row in zip(sums.table, scores, strict=True):
        values, want = dict(zip(NAMES, got.tolist(), strict=True)), expected(row)
        for name, value in values.items():
            # Errors of ranks and lags are in units of n, as are the metrics made from them.
            unit = n if name in ("ascending", "offset", "spread") else 1.0
            assert value == pytest.approx(want[name], rel=1e-5, abs=5e-6 * unit), name
        for metric in (gini, deviation):
            assert metric(values, n) == pytest.approx(metric(want, n), abs=1e-5)
    x = scores.astype(np.float64) - scores.max(-1, keepdims=True)
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    np.testing.assert_allclose(weights, p, 1e-5, 1e-37)
    np.testing.assert_allclose(sums.mass, p.sum(0), 0, 1e-6 * len(p))
    by_step = [p.diagonal(step).sum() for step in range(1 - len(p), n)]
    np.testing.assert_allclose(sums.by_step, by_step, 0, 1e-6 * len(p))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.01, 1.0, 3.0])
def test_ranks_of_usual_rows_are_closer_than_promised(scale: float, kind: Kind) -> None:
    scores = np.random.default_rng(4).normal(0.0, scale, (4, 900)).astype(np.float32)
    for got, row in zip(run(kind, scores)[0].table, scores, strict=True):
        values = dict(zip(NAMES, got.tolist(), strict=True))
        assert gini(values, 900) == pytest.approx(gini(expected(row), 900), abs=5e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_no_distribution_stays_out(bad: float, kind: Kind) -> None:
    scores = np.zeros((3, 70), np.float32)
    scores[1, 40] = bad
    if bad == -np.inf:
        scores[1] = bad
    sums, weights = run(kind, scores)
    assert np.isnan(sums.table[1]).all()
    assert not np.isnan(sums.table[[0, 2]]).any()
    assert np.isnan(weights[1]).all()
    np.testing.assert_allclose(sums.mass, 2 / 70, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top_k", [[1], [2, 100], [64, 65]])
def test_any_number_of_largest_weights(top_k: list[int], kind: Kind) -> None:
    layout = Layout(MetricsSpec(top_k=top_k, recent_k=[1]))
    scores = np.random.default_rng(0).normal(size=(2, 500)).astype(np.float32)
    sums = Sums(np.full((2, layout.columns), np.nan), np.zeros(500), np.zeros(501))
    make_engine(layout, kind).rows(
        torch.from_numpy(scores.copy()),
        np.zeros(2, np.int32),
        np.full(2, 500, np.int32),
        np.ones(2, bool),
        low=0,
        query=0,
        sums=sums,
    )
    p = np.exp(scores.astype(np.float64))
    descending = np.sort(p / p.sum(-1, keepdims=True))[:, ::-1]
    want = np.stack([descending[:, :k].sum(-1) for k in top_k], -1)
    np.testing.assert_allclose(sums.table[:, len(FIXED) : -1], want, rtol=1e-6)
