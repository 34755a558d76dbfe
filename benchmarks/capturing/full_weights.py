"""The same metrics from a matrix of all weights, by torch, numpy and scipy alone.

It runs in environments without attnpipe, too.
"""

import numpy as np
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy
from torch import Tensor

TOP = RECENT = (5, 10, 20)
PEAK_TOLERANCE = 1e-3
DISTANCE_ROWS = 64
"""Most rows on which heads are compared."""
WITHOUT_SINKS = " without sinks"


def vectorized(weights: Tensor, ids: Tensor) -> dict[str, float]:
    """Return the mean of every metric over a causal layer ``[head, query, key]`` of one text.

    The first token is the sink: without it, the other rows and keys are a causal layer again.
    """
    rest = weights[:, 1:, 1:]
    rest = rest / rest.sum(-1, keepdim=True)
    step, early = spaced(len(ids)), -(-len(ids) // 2)
    found = {"sink_mass": float(weights[..., 0].mean())}
    for name, each, gone in (("", weights, 0), (WITHOUT_SINKS, rest, 1)):
        own = _rows(each) | _scores(each, ids, gone)
        own |= {"head_distance": _distance(each, step)}
        own |= {"query_variation": _variation(each, early - gone)}
        found |= {metric + name: value for metric, value in own.items()}
    return found


def spaced(length: int) -> int:
    """Return how far apart rows lie on which heads are compared, counted from the last."""
    return -(-length // DISTANCE_ROWS)


def _scores(weights: Tensor, ids: Tensor, gone: int) -> dict[str, float]:
    """Return what heads put on neighbours, on equal tokens and on what followed those."""
    place = torch.arange(len(ids))
    lag = place[:, None] - place
    before = torch.cat([ids[:1] - ids[:1] - 1, ids[:-1]])
    targets = {
        "diagonal": lag == 0,
        "previous_token": lag == 1,
        "duplicate_token": (ids[:, None] == ids) & (lag > 0),
        "induction": (ids[:, None] == before) & (lag >= 0),
    }
    found = {}
    for name, every in targets.items():
        target = every[gone:, gone:]
        mass = (weights * target).sum(-1)[:, target.any(-1)]
        found[name] = float(mass.mean())
    return found


def _distance(weights: Tensor, step: int) -> float:
    """Return the mean √(JSD/ln 2) between the same rows of two heads."""
    chosen = weights.flip(1)[:, ::step].double()
    entropy = torch.special.entr(chosen).sum(-1)
    total, pairs = 0.0, 0
    for i in range(len(chosen)):
        for j in range(i + 1, len(chosen)):
            mean = torch.special.entr((chosen[i] + chosen[j]) / 2).sum(-1)
            jsd = (mean - (entropy[i] + entropy[j]) / 2).clamp_min(0)
            total += float((jsd / np.log(2)).sqrt().mean())
            pairs += 1
    return total / pairs


def _variation(weights: Tensor, early: int) -> float:
    """Return how much rows differ on the first keys: the divergence of those that see them."""
    part = weights[:, early - 1 :, :early]
    part = part / part.sum(-1, keepdim=True)
    of_mean = torch.special.entr(part.mean(1)).sum(-1)
    return float((of_mean - torch.special.entr(part).sum(-1).mean(-1)).mean())


def _rows(weights: Tensor) -> dict[str, float]:
    """Return the mean of every row metric, and of profiles."""
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


def row_by_row(weights: np.ndarray, ids: np.ndarray) -> dict[str, float]:
    """Return the same as notebooks compute it: a loop over rows, entropy by scipy."""
    rest = weights[:, 1:, 1:]
    rest = rest / rest.sum(-1, keepdims=True)
    found = {"sink_mass": float(weights[..., 0].mean())}
    for name, each, gone in (("", weights, 0), (WITHOUT_SINKS, rest, 1)):
        own = _loop(each, ids, gone)
        found |= {metric + name: value for metric, value in own.items()}
    return found


def _loop(weights: np.ndarray, ids: np.ndarray, gone: int) -> dict[str, float]:
    heads, queries, keys = weights.shape
    values: dict[str, list[float]] = {}
    incoming, by_lag = np.zeros((heads, keys)), np.zeros((heads, queries))
    early, variation = -(-len(ids) // 2) - gone, []
    for head in range(heads):
        prefixes = []
        for query in range(queries):
            row = weights[head, query, : query + 1]
            incoming[head, : query + 1] += row
            by_lag[head, : query + 1] += row[::-1]
            for name, value in (_row(row) | _on_tokens(row, ids, gone)).items():
                values.setdefault(name, []).append(value)
            if query >= early - 1:
                prefixes.append(row[:early] / row[:early].sum())
        of_mean = scipy_entropy(np.mean(prefixes, axis=0))
        variation.append(of_mean - np.mean([scipy_entropy(p) for p in prefixes]))
    far = [
        jensenshannon(weights[i, query], weights[j, query], base=2)
        for i in range(heads)
        for j in range(i + 1, heads)
        for query in range(queries - 1, -1, -spaced(len(ids)))
    ]
    return {name: float(np.nanmean(v)) for name, v in values.items()} | {
        "incoming_first": float(incoming[:, 0].mean()),
        "mass_at_lag_1": float(by_lag[:, 1].mean()) / queries,
        "query_variation": float(np.mean(variation)),
        "head_distance": float(np.mean(far)),
    }


def _on_tokens(p: np.ndarray, ids: np.ndarray, gone: int) -> dict[str, float]:
    query = len(p) - 1 + gone
    same = [j - gone for j in range(gone, query) if ids[j] == ids[query]]
    after = [j - gone for j in range(max(1, gone), query + 1) if ids[j - 1] == ids[query]]
    return {
        "diagonal": p[-1],
        "previous_token": p[-2] if len(p) > 1 else np.nan,
        "duplicate_token": p[same].sum() if same else np.nan,
        "induction": p[after].sum() if after else np.nan,
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
