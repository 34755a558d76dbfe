"""The battery of row metrics by name."""

from collections.abc import Callable
from functools import partial

from attnpipe.metrics import concentration, recency
from attnpipe.metrics.concentration import PerRow
from attnpipe.metrics.rows import Rows
from attnpipe.schema.analysis import MetricsSpec

RowMetric = Callable[[Rows], PerRow]


def row_metrics(options: MetricsSpec) -> dict[str, RowMetric]:
    """Return name → function of every row metric, in the order of all tables."""
    return {
        "entropy": concentration.entropy,
        "entropy_normalized": concentration.entropy_normalized,
        "effective_keys_n1": concentration.effective_keys_n1,
        "effective_keys_n2": concentration.effective_keys_n2,
        "kl_uniform": concentration.kl_uniform,
        "row_std_normalized": concentration.row_std_normalized,
        "gini": concentration.gini,
        **{f"top_mass_{k}": partial(concentration.top_mass, k=k) for k in options.top_k},
        **{f"top_excess_{k}": partial(concentration.top_excess, k=k) for k in options.top_k},
        **{f"recent_mass_{k}": partial(recency.recent_mass, k=k) for k in options.recent_k},
        **{f"recent_excess_{k}": partial(recency.recent_excess, k=k) for k in options.recent_k},
        "recency_contrast": recency.recency_contrast,
        "recent_distant_ratio": recency.recent_distant_ratio,
        "lag_mean": recency.lag_mean,
        "lag_mean_ratio": recency.lag_mean_ratio,
        "lag_spread": recency.lag_spread,
        "max_weight": concentration.max_weight,
    }
