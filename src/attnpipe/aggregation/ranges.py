"""Values that a metric can take at all, and its mean over seeds with it."""

import re
from collections.abc import Callable, Mapping
from math import log

SCORES = ("diagonal", "previous_token", "duplicate_token", "induction")
INFINITY = float("inf")
SHARE = (0.0, 1.0)
NOT_NEGATIVE = (0.0, INFINITY)
UNBOUNDED = (-INFINITY, INFINITY)

RANGES: Mapping[str, tuple[float, float]] = {
    "entropy": NOT_NEGATIVE,
    "entropy_normalized": SHARE,
    "effective_keys_n1": (1.0, INFINITY),
    "effective_keys_n2": (1.0, INFINITY),
    "kl_uniform": NOT_NEGATIVE,
    "row_std_normalized": SHARE,
    "gini": SHARE,
    "top_mass_{k}": SHARE,
    "top_excess_{k}": SHARE,
    "recent_mass_{k}": SHARE,
    "recent_excess_{k}": (-INFINITY, 1.0),
    "recency_contrast": (-1.0, 1.0),
    "recent_distant_ratio": NOT_NEGATIVE,
    "lag_mean": UNBOUNDED,
    "lag_mean_ratio": UNBOUNDED,
    "lag_spread": NOT_NEGATIVE,
    "max_weight": SHARE,
    "peak_count": NOT_NEGATIVE,
    "peak_resolved_share": SHARE,
    "peak_lag_mode": UNBOUNDED,
    "peak_lag_median": UNBOUNDED,
    "peak_lag_iqr": NOT_NEGATIVE,
    "position_information": NOT_NEGATIVE,
    "content_information": NOT_NEGATIVE,
    "content_share": SHARE,
    "profile": SHARE,
    "profile_published": SHARE,
    "lag_profile": SHARE,
    "profile_entropy_normalized": SHARE,
    "profile_kl_uniform": NOT_NEGATIVE,
    "profile_recent_mass_{k}": SHARE,
    "profile_peak": NOT_NEGATIVE,
    "rows_valid": NOT_NEGATIVE,
    "rows_excluded": NOT_NEGATIVE,
    "jsd_previous": NOT_NEGATIVE,
    "jsd_final": NOT_NEGATIVE,
    "null_share": SHARE,
    **dict.fromkeys(SCORES, SHARE),
    **dict.fromkeys((f"{score}_best_head" for score in SCORES), SHARE),
}
"""Metric, any number in its name as {k} → least and greatest value.

Lags are negative where a query may look ahead. Corrected for bias, `position_information`
and `content_share` estimate what lies in these ranges and may leave them a little.
"""


BY_KEYS: Mapping[str, Callable[[int], float]] = {
    "entropy": log,
    "effective_keys_n1": float,
    "effective_keys_n2": float,
    "kl_uniform": log,
    "profile_kl_uniform": log,
    "profile_peak": lambda keys: keys - 1.0,
}
"""Metric → greatest value where rows have so many keys."""


def metric_range(metric: str, keys: int | None = None) -> tuple[float, float]:
    """Return the least and greatest value of a metric; infinite for what is not known.

    Parameters
    ----------
    metric
        Its name.
    keys
        Most keys that a row can see, at positions from 0, where that is known.
    """
    low, high = RANGES.get(metric, RANGES.get(re.sub(r"_\d+$", "_{k}", metric), UNBOUNDED))
    return low, BY_KEYS[metric](keys) if keys and metric in BY_KEYS else high
