"""Every row metric again, by naive loops over one row: slow, plain and independent."""

import math

import numpy as np
from scipy.stats import entropy as scipy_entropy

from attnpipe.core.block import Block

K = (5, 10, 20)


def reference_row(p: list[float], positions: list[int], query: int, ks=K) -> dict[str, float]:
    """Metrics of one row, given on its support only."""
    pairs = sorted(zip(positions, p, strict=True))
    p = [weight for _, weight in pairs]
    lags = [query - position for position, _ in pairs]
    n = len(p)
    h = float(scipy_entropy(p))
    big = sorted(p, reverse=True)
    nan = math.nan
    differences = sum(abs(a - b) for a in p for b in p)
    mean_lag = sum(w * lag for w, lag in zip(p, lags, strict=True))
    uniform_lag = sum(lags) / n
    quarter = n // 4
    new, old = sum(p[n - quarter :]), sum(p[:quarter])
    out = {
        "entropy": h,
        "entropy_normalized": h / math.log(n) if n > 1 else nan,
        "effective_keys_n1": math.exp(h),
        "effective_keys_n2": 1 / sum(w * w for w in p),
        "kl_uniform": float(scipy_entropy(p, [1 / n] * n)),
        "row_std_normalized": float(np.std(p)) * n / math.sqrt(n - 1) if n > 1 else nan,
        "gini": differences / (2 * n * sum(p)) * n / (n - 1) if n > 1 else nan,
        "recency_contrast": (new - old) / (new + old) if n >= 4 and new + old > 0 else nan,
        "recent_distant_ratio": new / old if n >= 4 and old > 0 else nan,
        "lag_mean": mean_lag,
        "lag_mean_ratio": mean_lag / uniform_lag if n > 1 and uniform_lag != 0 else nan,
        "lag_spread": math.sqrt(
            sum(w * (lag - mean_lag) ** 2 for w, lag in zip(p, lags, strict=True))
        ),
        "max_weight": big[0],
    }
    for k in ks:
        top, recent = sum(big[:k]), sum(p[max(0, n - k) :])
        out[f"top_mass_{k}"], out[f"recent_mass_{k}"] = top, recent
        out[f"top_excess_{k}"] = (top - k / n) / (1 - k / n) if k < n else nan
        out[f"recent_excess_{k}"] = (recent - k / n) / (1 - k / n) if k < n else nan
    return out


def reference(block: Block, ks=K) -> dict[str, np.ndarray]:
    """Metrics of all rows, ``[head, sample, query]``; NaN for padding."""
    weights = np.asarray(block.weights, np.float64)
    support = np.broadcast_to(block.support, weights.shape[1:])
    shape = weights.shape[:3]
    out: dict[str, np.ndarray] = {}
    for head, sample, query in np.ndindex(*shape):
        seen = np.flatnonzero(support[sample, query])
        if not len(seen):
            continue
        p = weights[head, sample, query, seen]
        values = reference_row(
            (p / p.sum()).tolist(),
            np.asarray(block.key_positions)[seen].tolist(),
            int(block.query_positions[query]),
            ks,
        )
        for name, value in values.items():
            out.setdefault(name, np.full(shape, np.nan))[head, sample, query] = value
    return out


def mean_over_samples(values: np.ndarray) -> np.ndarray:
    """Row → sample → head, by loops: mean over samples of the mean over defined rows."""
    heads = []
    for head in values:
        means = [np.mean(s[~np.isnan(s)]) for s in head if not np.isnan(s).all()]
        heads.append(np.mean(means) if means else np.nan)
    return np.array(heads)
