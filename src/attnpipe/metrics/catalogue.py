"""Name and meaning of every metric in the metrics table."""

from collections.abc import Callable
from inspect import getdoc

from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.schema.analysis import MetricsSpec

ROWS = {
    "rows_valid": "valid attention rows, of `n_rows` seen",
    "rows_excluded": "rows left out for the reason in `condition`; `padding` is expected",
}
SPLIT = {
    "position_information": "positional part of `kl_uniform`: ln n − H(p̄) at fixed query, nats",
    "content_information": "content part: I(sample; key) = H(p̄) − E H, bias-corrected, nats",
    "content_share": "content part over the whole; null below the noise floor",
}
PEAKS = {
    "peak_count": "rows with a resolved peak at the lag in `target`",
    "peak_resolved_share": "share of rows whose largest weight stands out from the second",
    "peak_lag_mode": "most frequent lag of a resolved peak",
    "peak_lag_median": "median lag of resolved peaks",
    "peak_lag_iqr": "interquartile range of that lag",
}
PROFILES = {
    "profile": "mean weight on the key position in `target`",
    "profile_published": "the same of the last query alone, where document 0's rules go by it",
    "lag_profile": "mean mass at the lag in `target`",
    "profile_entropy_normalized": "document 0's rules: entropy of the averaged row over ln T",
    "profile_kl_uniform": "document 0's rules: divergence of the averaged row from 1/T, nats",
    "profile_recent_mass_{k}": "document 0's rules: mass of the averaged row's last {k} keys",
    "profile_peak": "document 0's rules: key position of the averaged row's largest weight",
}
DIVERGENCES = {
    "jsd_previous": "mean row-wise Jensen–Shannon divergence to the previous checkpoint, nats",
    "jsd_final": "the same to the last epoch",
}


def catalogue(options: MetricsSpec) -> dict[str, str]:
    """Return name → meaning of every metric that a run's table may hold."""
    rows = {name: _first_line(metric) for name, metric in row_metrics(options).items()}
    profiles = {}
    for name, meaning in PROFILES.items():
        for k in options.recent_k if "{k}" in name else [0]:
            profiles[name.format(k=k)] = meaning.format(k=k)
    return rows | PEAKS | SPLIT | profiles | ROWS | DIVERGENCES


def _first_line(metric: Callable) -> str:
    return (getdoc(getattr(metric, "func", metric)) or "").partition("\n")[0]
