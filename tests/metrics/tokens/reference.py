"""Everything again for one text by naive loops, written from the definitions.

``p[h][q]`` is a row over all tokens of the text, ``seen[h][q]`` the set of keys on its
support, or None for a row that does not count.
"""

import math

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

nan = math.nan


def rows_of(item, sinks=(), only=None, invalid=()):
    """Rows and supports of a text, without some sinks; `only` one query; `invalid` (h, q)."""
    heads, length, _ = item.weights.shape
    p = np.zeros((heads, length, length))
    seen = [[None] * length for _ in range(heads)]
    for h in range(heads):
        for q in range(length) if only is None else [only]:
            keys = {k for k in range(length) if item.support[q, k] and k not in sinks}
            left = sum(item.weights[h, q, k] for k in keys)
            if left < 1e-3 or (h, q) in invalid:
                continue
            seen[h][q] = keys
            for k in keys:
                p[h, q, k] = item.weights[h, q, k] / left
    return p, seen


def valid(seen, h):
    return [q for q, keys in enumerate(seen[h]) if keys]


def targets(name, ids, q):
    length = len(ids)
    found = {
        "diagonal": [q],
        "previous_token": [q - 1],
        "next_token": [q + 1],
        "duplicate_token": [j for j in range(q) if ids[j] == ids[q]],
        "induction": [j for j in range(1, q + 1) if ids[j - 1] == ids[q] and j - 1 < q],
    }[name]
    return [k for k in found if 0 <= k < length]


def score(name, p, seen, ids, h):
    """(value, chance, rows) of one head."""
    masses, chances = [], []
    for q in valid(seen, h):
        visible = [k for k in targets(name, ids, q) if k in seen[h][q]]
        if visible:
            masses.append(sum(p[h, q, k] for k in visible))
            chances.append(len(visible) / len(seen[h][q]))
    return (np.mean(masses), np.mean(chances), len(masses)) if masses else (nan, nan, 0)


def incoming(p, seen, h):
    """Key → (mass, exposure)."""
    found = {}
    for q in valid(seen, h):
        for k in seen[h][q]:
            mass, exposure = found.get(k, (0.0, 0.0))
            found[k] = (mass + p[h, q, k], exposure + 1 / len(seen[h][q]))
    return found


def lag_profile(p, seen, h):
    """Lag → (mean mass, chance)."""
    queries, found = valid(seen, h), {}
    for q in queries:
        for k in seen[h][q]:
            mass, chance = found.get(q - k, (0.0, 0.0))
            share = 1 / len(seen[h][q])
            found[q - k] = (mass + p[h, q, k] / len(queries), chance + share / len(queries))
    return found


def mass_on(tokens, p, seen, h):
    """(mean mass, chance) of some tokens."""
    queries = valid(seen, h)
    if not queries:
        return nan, nan
    masses = [sum(p[h, q, k] for k in tokens if k in seen[h][q]) for q in queries]
    chances = [len(set(tokens) & seen[h][q]) / len(seen[h][q]) for q in queries]
    return np.mean(masses), np.mean(chances)


def distance(p, seen, g, h, queries):
    """(mean √(JSD/ln 2), rows) between two heads."""
    both = [q for q in queries if seen[g][q] and seen[h][q]]
    far = [jensenshannon(p[g, q], p[h, q], base=2) if g != h else 0.0 for q in both]
    return (np.mean(far), len(far)) if far else (nan, 0)


def variation_lag(p, seen, h):
    queries, length = valid(seen, h), p.shape[-1]
    if len(queries) < 2:
        return nan
    shifted = np.zeros((len(queries), 2 * length))
    for i, q in enumerate(queries):
        for k in seen[h][q]:
            shifted[i, q - k + length] = p[h, q, k]
    return entropy(shifted.mean(axis=0)) - np.mean([entropy(row) for row in shifted])


def variation_prefix(p, seen, h, sinks=()):
    """(variation, rows)."""
    prefix = [k for k in range(math.ceil(p.shape[-1] / 2)) if k not in sinks]
    rows = []
    for q in valid(seen, h):
        mass = sum(p[h, q, k] for k in prefix)
        if len(prefix) >= 2 and set(prefix) <= seen[h][q] and mass >= 1e-3:
            rows.append([p[h, q, k] / mass for k in prefix])
    if len(rows) < 2:
        return nan, len(rows)
    return entropy(np.mean(rows, axis=0)) - np.mean([entropy(row) for row in rows]), len(rows)
