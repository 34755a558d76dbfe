"""Every column of an engine's table, for any row of scores, against plain float64."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from attnpipe.attention.kernel.engine import Engine, Kind, make_engine
from attnpipe.attention.kernel.sums import Rest, Sums
from attnpipe.attention.kernel.table import FIXED, Layout
from attnpipe.metrics.tokens.distance import pairwise
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
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


@st.composite
def rows_with_sinks(draw: st.DrawFn) -> tuple[np.ndarray, list[int], int]:
    """Draw scores, keys to be removed, which may tower above the others, and a prefix."""
    scores = draw(rows_of_scores())
    n = scores.shape[1]
    places = sorted({place for place in (0, 1, 2, n // 2, n - 1) if 0 <= place < n})
    removed = sorted(draw(st.sets(st.sampled_from(places), max_size=4)))
    for key in removed:
        scores[:, key] += np.float32(draw(st.sampled_from([0.0, 3.0, 10.0, 60.0])))
    return scores, removed, draw(st.integers(0, n))


@dataclass(frozen=True)
class Ran:
    """What an engine made of rows."""

    sums: Sums
    rest: Sums
    weights: np.ndarray


def run(
    kind: Kind,
    scores: np.ndarray,
    removed: Sequence[int] = (),
    split: int = 0,
    *,
    margin: int = 0,
    layout: Layout = LAYOUT,
) -> Ran:
    """Let every row see all keys but `margin` ones on both sides, and compare all prefixes."""
    rows, n = scores.shape
    engine: Engine = make_engine(layout, kind)
    sums, rest = (Sums.empty(layout.columns, rows, n, split, np.ones(rows, bool)) for _ in range(2))
    weights = torch.from_numpy(scores.copy())
    first, last = np.full(rows, margin, np.int32), np.full(rows, n - margin, np.int32)
    gone = Rest(np.array(removed, np.int32), rest)
    engine.rows(weights, first, last, np.ones(rows, bool), low=0, query=0, sums=sums, rest=gone)
    return Ran(sums, rest, weights.numpy())


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return weights in float64."""
    x = scores.astype(np.float64)
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def expected(row: np.ndarray, keys: np.ndarray | None = None, split: int = 0) -> dict[str, float]:
    """Return every column but the share of one row on some keys, from float64 weights."""
    keys = np.arange(len(row)) if keys is None else keys
    p = softmax(row[keys])
    n, peak = len(p), int(row[keys].argmax())
    ascending, lag = np.sort(p), keys - keys[peak]
    mean, quarter = math.fsum(p * lag), n // 4
    early = p[keys < split]
    prefix = math.fsum(early)
    return {
        "entropy": entropy(p),
        "unevenness": n * math.fsum((p - 1 / n) ** 2),
        "ascending": math.fsum(ascending * np.arange(1, n + 1)),
        "largest": ascending[-1],
        "second": ascending[-2] if n > 1 else 0.0,
        "peak": keys[peak],
        "offset": mean,
        "spread": math.sqrt(math.fsum(p * (lag - mean) ** 2)),
        "newest": math.fsum(p[n - quarter :]),
        "oldest": math.fsum(p[:quarter]),
        "prefix": prefix,
        "prefix_entropy": entropy(early / prefix) if prefix >= LEAST_LEFT else math.nan,
        **{f"top {k}": math.fsum(ascending[-k:]) for k in LAYOUT.top},
        **{f"recent {k}": math.fsum(p[-k:]) for k in LAYOUT.recent},
    }


def entropy(p: np.ndarray) -> float:
    return -math.fsum(v * math.log(v) for v in p if v > 0)


def assert_row(values: dict[str, float], want: dict[str, float], n: int) -> None:
    """Compare a row of a table. Ranks and lags are off in units of n, as metrics of them are."""
    for name, value in want.items():
        unit = n if name in ("ascending", "offset", "spread") else 1.0
        if not math.isnan(value):
            assert values[name] == pytest.approx(value, rel=1e-5, abs=5e-6 * unit), name
    for metric in (gini, deviation):
        assert metric(values, n) == pytest.approx(metric(want, n), abs=1e-5)


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
    ran, n = run(kind, scores), scores.shape[1]
    for got, row in zip(ran.sums.table, scores, strict=True):
        assert_row(dict(zip(NAMES, got.tolist(), strict=True)), expected(row), n)
    p = softmax(scores)
    np.testing.assert_allclose(ran.weights, p, 1e-5, 1e-37)
    assert_sums(ran.sums, p)


def assert_sums(sums: Sums, p: np.ndarray) -> None:
    """Compare sums over rows with those of weights."""
    rows, n = p.shape
    np.testing.assert_allclose(sums.mass, p.sum(0), 0, 1e-6 * rows)
    by_step = [p.diagonal(step).sum() for step in range(1 - rows, n)]
    np.testing.assert_allclose(sums.by_step, by_step, 0, 1e-6 * rows)
    early = p[:, : len(sums.prefix)]
    mass = early.sum(-1, keepdims=True)
    assume(not np.any(np.abs(mass / LEAST_LEFT - 1) < 1e-3))  # rounding decides
    share = np.where(mass >= LEAST_LEFT, early / np.where(mass > 0, mass, 1.0), 0.0)
    np.testing.assert_allclose(sums.prefix, share.sum(0), 0, 5e-6 * rows)


@pytest.mark.parametrize("margin", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(drawn=rows_with_sinks())
def test_rows_without_some_keys(
    kind: Kind, margin: int, drawn: tuple[np.ndarray, list[int], int]
) -> None:
    scores, removed, split = drawn
    n = scores.shape[1]
    assume(n > 2 * margin)
    seen = np.arange(margin, n - margin)
    assume(np.isfinite(scores[:, seen].max(-1)).all())
    ran = run(kind, scores, removed, split, margin=margin)
    p = np.zeros(scores.shape)
    p[:, seen] = softmax(scores[:, seen])
    np.testing.assert_allclose(ran.weights, p, 1e-5, 1e-37)
    kept = np.setdiff1d(seen, removed)
    left = p[:, kept].sum(-1)
    assume(not np.any(np.abs(left / LEAST_LEFT - 1) < 1e-3))
    rest = np.zeros(p.shape)
    for i, row in enumerate(scores):
        values = dict(zip(NAMES, ran.sums.table[i].tolist(), strict=True))
        assert values["share"] == 1.0
        assert_row(values, expected(row, seen, split), len(seen))
        values = dict(zip(NAMES, ran.rest.table[i].tolist(), strict=True))
        assert values["share"] == pytest.approx(left[i], rel=1e-5, abs=1e-7)
        if left[i] < LEAST_LEFT:
            continue
        assert_row(values, expected(row, kept, split), len(kept))
        rest[i, kept] = p[i, kept] / left[i]
    assert_sums(ran.sums, p)
    assert_sums(ran.rest, rest)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_removed_keys_alone_has_no_rest(kind: Kind) -> None:
    ran = run(kind, np.float32([[1.0, 2.0], [3.0, 0.0]]), [0, 1])
    rest = {name: ran.rest.table[:, i] for i, name in enumerate(NAMES)}
    assert (rest["share"] == 0).all()
    assert np.isnan(rest["entropy"]).all()
    assert not ran.rest.mass.any()
    np.testing.assert_allclose(ran.sums.mass, softmax(np.float64([[1, 2], [3, 0]])).sum(0), 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_removed_key_can_spoil_its_row(kind: Kind, bad: float) -> None:
    scores = np.zeros((3, 40), np.float32)
    scores[1, 0] = bad
    ran = run(kind, scores, [0], 20)
    for sums in (ran.sums, ran.rest):
        assert np.isnan(sums.table[1]).all()
        assert not np.isnan(sums.table[[0, 2]]).any()
        assert np.isfinite(sums.mass).all()
    assert np.isnan(ran.weights[1]).all()


def test_too_many_removed_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="65 keys cannot be removed"):
        run("native", np.zeros((1, 80), np.float32), range(65))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(scale=st.sampled_from([0.0, 1e-4, 0.1, 1.0, 9.0, 60.0]), seed=st.integers(0, 99))
def test_distances_are_those_of_plain_folds(kind: Kind, scale: float, seed: int) -> None:
    made = np.random.default_rng(seed)
    p = softmax(made.normal(size=(4, 3, 333)) * scale).astype(np.float32)
    p[1, 2] = p[0, 2]
    valid = made.random((4, 3)) < 0.8
    got = make_engine(LAYOUT, kind).distances(torch.from_numpy(p), valid)
    want = pairwise(np, p.astype(np.float64)[:, None], valid[:, None])[0][..., 0]
    np.testing.assert_allclose(got, want, 1e-5, 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.01, 1.0, 3.0])
def test_ranks_of_usual_rows_are_closer_than_promised(scale: float, kind: Kind) -> None:
    scores = np.random.default_rng(4).normal(0.0, scale, (4, 900)).astype(np.float32)
    for got, row in zip(run(kind, scores).sums.table, scores, strict=True):
        values = dict(zip(NAMES, got.tolist(), strict=True))
        assert gini(values, 900) == pytest.approx(gini(expected(row), 900), abs=5e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_no_distribution_stays_out(bad: float, kind: Kind) -> None:
    scores = np.zeros((3, 70), np.float32)
    scores[1, 40] = bad
    if bad == -np.inf:
        scores[1] = bad
    ran = run(kind, scores)
    sums, weights = ran.sums, ran.weights
    assert np.isnan(sums.table[1]).all()
    assert not np.isnan(sums.table[[0, 2]]).any()
    assert np.isnan(weights[1]).all()
    np.testing.assert_allclose(sums.mass, 2 / 70, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top_k", [[1], [2, 100], [64, 65]])
def test_any_number_of_largest_weights(top_k: list[int], kind: Kind) -> None:
    layout = Layout(MetricsSpec(top_k=top_k, recent_k=[1]))
    scores = np.random.default_rng(0).normal(size=(2, 500)).astype(np.float32)
    sums = run(kind, scores, layout=layout).sums
    p = np.exp(scores.astype(np.float64))
    descending = np.sort(p / p.sum(-1, keepdims=True))[:, ::-1]
    want = np.stack([descending[:, :k].sum(-1) for k in top_k], -1)
    np.testing.assert_allclose(sums.table[:, len(FIXED) : -1], want, rtol=1e-6)
