"""The same metrics from a matrix of all weights, by torch, numpy and scipy alone.

It runs in environments without attnpipe, too.
"""

import numpy as np
import torch
from scipy.stats import entropy as scipy_entropy
from torch import Tensor

TOP = RECENT = (5, 10, 20)
PEAK_TOLERANCE = 1e-3


def vectorized(weights: Tensor) -> dict[str, float]:
    """Return the mean of every metric over the rows of a causal layer ``[head, query, key]``."""
    queries, keys = weights.shape[1:]
    q, key = torch.arange(queries)[:, None], torch.arange(keys)
    n = (q + 1).float()
    several = torch.where(n > 1, n - 1, torch.nan)
    h = torch.special.entr(weights).sum(-1)
    squares = (weights * weights).sum(-1)
    ascending = weights.sort(-1).values
    ranked = (ascending * (key + 1)).sum(-1) - (keys - n[:, 0])
    lag = (q - key).float()
    mean_lag = (weights * lag).sum(-1)
    spread = (weights * (lag - mean_lag[..., None]) ** 2).sum(-1).sqrt()
    before = torch.nn.functional.pad(weights.cumsum(-1), (1, 0))
    quarter = torch.div(q + 1, 4, rounding_mode="floor")
    old = before.gather(-1, quarter.expand(len(weights), -1, 1))[..., 0]
    kept = before.gather(-1, (q + 1 - quarter).expand(len(weights), -1, 1))[..., 0]
    new, fourfold = before[..., -1] - kept, torch.where(n[:, 0] >= 4, 1.0, torch.nan)
    skewed = torch.nn.functional.pad(weights.flip(1), (0, queries)).flatten(1)
    by_lag = skewed[:, : queries * (keys + queries - 1)].view(len(weights), queries, -1).sum(1)
    row = {
        "entropy": h,
        "entropy_normalized": h / torch.where(n > 1, n.log(), torch.nan)[:, 0],
        "effective_keys_n1": h.exp(),
        "effective_keys_n2": 1 / squares,
        "kl_uniform": n.log()[:, 0] - h,
        "row_std_normalized": ((n[:, 0] * squares - 1).clamp_min(0) / several[:, 0]).sqrt(),
        "gini": (2 * ranked - n[:, 0] - 1) / several[:, 0],
        "recency_contrast": (new - old) / (new + old) * fourfold,
        "recent_distant_ratio": new / old * fourfold,
        "lag_mean": mean_lag,
        "lag_mean_ratio": mean_lag / (several[:, 0] / 2),
        "lag_spread": spread,
        "max_weight": ascending[..., -1],
    }
    for k in TOP:
        row |= _mass(f"top_mass_{k}", ascending[..., -k:].sum(-1), n[:, 0], k)
    for k in RECENT:
        row |= _mass(f"recent_mass_{k}", weights.triu(1 - k).sum(-1), n[:, 0], k)
    resolved = ascending[..., -1] - ascending[..., -2] > PEAK_TOLERANCE
    peak_lag = torch.where(resolved, q[:, 0] - weights.argmax(-1), torch.nan)[:, 1:]
    return {name: float(value.nanmean()) for name, value in row.items()} | {
        "incoming_first": float(weights.sum(1)[:, 0].mean()),
        "mass_at_lag_1": float(by_lag[:, queries - 2].mean()) / queries,
        "peak_lag": float(peak_lag.nanmean()),
    }


def _mass(name: str, mass: Tensor, n: Tensor, k: int) -> dict[str, Tensor]:
    excess = (mass - k / n) / torch.where(n > k, 1 - k / n, torch.nan)
    return {name: mass, name.replace("mass", "excess"): excess}


def row_by_row(weights: np.ndarray) -> dict[str, float]:
    """Return the same as notebooks compute it: a loop over rows, entropy by scipy."""
    heads, queries, keys = weights.shape
    values: dict[str, list[float]] = {}
    incoming, by_lag = np.zeros((heads, keys)), np.zeros((heads, queries))
    for head in range(heads):
        for query in range(queries):
            row = weights[head, query, : query + 1]
            incoming[head, : query + 1] += row
            by_lag[head, : query + 1] += row[::-1]
            for name, value in _row(row).items():
                values.setdefault(name, []).append(value)
    return {name: float(np.nanmean(v)) for name, v in values.items()} | {
        "incoming_first": float(incoming[:, 0].mean()),
        "mass_at_lag_1": float(by_lag[:, 1].mean()) / queries,
    }


def _row(p: np.ndarray) -> dict[str, float]:
    n, ascending, h = len(p), np.sort(p), float(scipy_entropy(p))
    lag, several = np.arange(n)[::-1], n > 1
    quarter, mean_lag = n // 4, float(p @ lag)
    new, old = p[n - quarter :].sum(), p[:quarter].sum()
    resolved = several and ascending[-1] - ascending[-2] > PEAK_TOLERANCE
    row = {
        "entropy": h,
        "entropy_normalized": h / np.log(n) if several else np.nan,
        "effective_keys_n1": np.exp(h),
        "effective_keys_n2": 1 / np.sum(p**2),
        "kl_uniform": float(scipy_entropy(p, np.full(n, 1 / n))),
        "row_std_normalized": np.std(p) * n / np.sqrt(n - 1) if several else np.nan,
        "gini": (2 * np.arange(1, n + 1) @ ascending - n - 1) / (n - 1) if several else np.nan,
        "recency_contrast": (new - old) / (new + old) if n >= 4 else np.nan,
        "recent_distant_ratio": new / old if n >= 4 else np.nan,
        "lag_mean": mean_lag,
        "lag_mean_ratio": mean_lag / lag.mean() if several else np.nan,
        "lag_spread": np.sqrt(p @ (lag - mean_lag) ** 2),
        "max_weight": ascending[-1],
        "peak_lag": float(lag[np.argmax(p)]) if resolved else np.nan,
    }
    for name, mass, ks in (("top", ascending, TOP), ("recent", p, RECENT)):
        for k in ks:
            found = mass[-k:].sum()
            row[f"{name}_mass_{k}"] = found
            row[f"{name}_excess_{k}"] = (found - k / n) / (1 - k / n) if n > k else np.nan
    return row


def over_layers(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the means over layers."""
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}
