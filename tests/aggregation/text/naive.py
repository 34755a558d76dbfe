"""What a run measures of one text, head by head and row by row, in plain loops."""

import numpy as np


def entropy(row):
    p = row[row > 0]
    return float(-(p * np.log(p)).sum())


def removed(row, sinks=(0,)):
    """The row without sinks; sinks count as unseen."""
    rest = row.copy()
    rest[list(sinks)] = 0
    return rest / rest.sum()


def resolved(row):
    """Whether the largest weight stands out from the second."""
    first, second = sorted([*row, 0.0], reverse=True)[:2]
    return float(first - second > 0.05)


def row_values(row, n):
    h = entropy(row)
    return {
        "entropy": h,
        "entropy_normalized": h / np.log(n) if n > 1 else None,
        "max_weight": float(row.max()),
        "peak_resolved_share": resolved(row),
    }


def metric_rows(model, checkpoint, item, full):
    """Rows of `TEXT_METRICS` from weights [layer, head, query, key]."""
    layers, heads = full.shape[:2]
    for layer in range(layers):
        where = {"model": model, "checkpoint": checkpoint, "item": item, "layer": layer}
        for head in range(heads):
            at = where | {"head": head}
            yield from _head(at, full[layer, head])
            for other in range(head + 1, heads):
                yield at | {
                    "rows": "all", "metric": "head_distance", "target": other,
                    "value": distance(full[layer, head], full[layer, other]),
                }  # fmt: skip
        mean = full[layer, :, -1].mean(axis=0) + 1e-10
        yield where | {
            "rows": "last", "metric": "published_layer_entropy",
            "value": float(-(mean * np.log(mean)).sum()),
        }  # fmt: skip


def _head(at, rows):
    n = len(rows)
    for condition, of, keys in (
        (None, rows[-1], n),
        ("sinks_removed", removed(rows[-1]), n - 1),
    ):
        for metric, value in row_values(of, keys).items():
            yield at | {"rows": "last", "condition": condition, "metric": metric, "value": value}
    values = [row_values(row, place + 1) for place, row in enumerate(rows)]
    for metric in values[0]:
        known = [v[metric] for v in values if v[metric] is not None]
        yield at | {"rows": "all", "metric": metric, "value": float(np.mean(known))}
    for condition, first in ((None, 0), ("sinks_removed", 1)):  # the first token is the sink
        yield at | {
            "rows": "last", "condition": condition, "metric": "focus_position",
            "value": float(first + rows[-1, first:].argmax()),
        }  # fmt: skip
    yield at | {"rows": "all", "metric": "rows_valid", "value": float(n), "n_rows": n}
    yield at | {"rows": "all", "metric": "rows_excluded", "condition": "padding", "value": 3.0}
    yield at | {"rows": "all", "metric": "rows_excluded", "condition": "sum", "value": 1.0}
    for lag in range(n):
        yield at | {
            "rows": "all", "metric": "lag_profile", "target": lag, "chance": 1.0 / (1 + lag),
            "value": float(np.mean([rows[q, q - lag] for q in range(lag, n)])),
        }  # fmt: skip
    for key in range(n):
        yield at | {
            "rows": "all", "metric": "incoming_mass", "target": key,
            "value": float(rows[:, key].mean()),
        }  # fmt: skip


def distance(a, b, *, off_sinks=False):
    """Mean over rows of √(JSD/ln 2); off the first token, the sink, from the second row on."""
    far = []
    for p, q in zip(a, b, strict=True):
        if off_sinks:
            if p[0] == 1:  # nothing else is seen
                continue
            p, q = removed(p), removed(q)
        jsd = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
        far.append(np.sqrt(max(jsd, 0) / np.log(2)))
    return float(np.mean(far))


def segment_rows(model, checkpoint, item, last, spans):
    """Rows of `SEGMENTS` from weights [layer, head, key]; spans: name → runs of places."""
    layers, heads, n = last.shape
    for layer in range(layers):
        for head in range(heads):
            for condition in (None, "sinks_removed"):
                row, keys = last[layer, head], n
                if condition:
                    row, keys = removed(row), n - 1
                at = {"model": model, "checkpoint": checkpoint, "item": item, "layer": layer,
                      "head": head, "condition": condition}  # fmt: skip
                for name, runs in spans.items():
                    parts = [*enumerate(runs), (None, [p for run in runs for p in run])]
                    for occurrence, places in parts:
                        yield at | _mass(row, keys, places) | {
                            "span": name, "occurrence": occurrence, "n_matches": len(runs),
                        }  # fmt: skip
                yield at | {"span": "keyword: never", "n_matches": 0, "n_tokens": 0, "mass": 0.0}
    for name in spans:
        if name.startswith("keyword"):
            yield {
                "model": model, "checkpoint": checkpoint, "item": item, "span": name,
                "n_matches": len(spans[name]),
                "as_published": float(sum(last[-1, :, p].mean() for [p] in spans[name])),
            }  # fmt: skip


def _mass(row, keys, places):
    mass = float(sum(row[p] for p in places))
    return {
        "n_tokens": len(places),
        "mass": mass,
        "mass_per_token": mass / len(places),
        "mass_relative": mass / (len(places) / keys),
    }
