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
OF_WINDOWS = ("peak_count",)
"""Not told of texts: a number per text, head and lag would be as many as there are rows."""
PROFILES = {
    "profile": "mean weight on the key position in `target`",
    "profile_published": "the same of the last query alone, where document 0's rules go by it",
    "lag_profile": "mean mass at the lag in `target`",
    "profile_entropy_normalized": "document 0's rules: entropy of the averaged row over ln T",
    "profile_kl_uniform": "document 0's rules: divergence of the averaged row from 1/T, nats",
    "profile_recent_mass_{k}": "document 0's rules: mass of the averaged row's last {k} keys",
    "profile_peak": "document 0's rules: key position of the averaged row's largest weight",
}
VALUES = {
    "null_share": "share of a row's squared distance from uniform that could be otherwise without "
    "changing the weighted mean of the values; of the final weights, on 32 probe samples",
}
DIVERGENCES = {
    "jsd_previous": "mean row-wise Jensen–Shannon divergence to the previous checkpoint, nats",
    "jsd_final": "the same to the last epoch",
}

SCORES = {
    "diagonal": "mean weight of a token on itself; `chance`: of uniform attention, same rows",
    "previous_token": "mean weight on the token before, over rows that see it",
    "next_token": "mean weight on the token after, over rows that see it",
    "duplicate_token": "mean mass on earlier occurrences of the same token, over rows with one",
    "induction": "mean mass on tokens that follow an earlier occurrence of the same token",
}
LOOKING_AHEAD = ("next_token",)
"""Scores that causal attention cannot have."""
TOKENS = {
    "sink_mass": "mean mass on the declared sinks; `chance`: of uniform attention, same rows",
    "incoming_mass": "sum over rows of the weight on key `target`; `chance`: of uniform attention",
    "incoming_ratio": "that sum over what uniform attention gives the key: 1 for uniform attention",
    "data_sink_mass": "mean mass on the key in `target`, a sink by the layer's own weights",
    "query_variation": "divergence between a text's rows on the first half of its tokens, nats",
    "lag_variation": "divergence between a text's rows as distributions over lag, nats",
    "head_distance": "mean √(JSD/ln 2) to the head in `target`, same rows (64 of a longer text); "
    "0 alike, 1 disjoint",
}
DENSE = {
    "rollout": "attention rollout from the query to the token in `target`; descriptive only",
}


def catalogue(options: MetricsSpec, *, tokens: bool = False) -> dict[str, str]:
    """Return name → meaning of every metric that a run's table holds.

    Parameters
    ----------
    options
        Of the metrics.
    tokens
        Whether the model reads tokens: then with the scores of its heads.
    """
    rows = {name: _first_line(metric) for name, metric in row_metrics(options).items()}
    profiles = {}
    for name, meaning in PROFILES.items():
        for k in options.recent_k if "{k}" in name else [0]:
            profiles[name.format(k=k)] = meaning.format(k=k)
    found = rows | PEAKS | SPLIT | profiles | ROWS | DIVERGENCES | VALUES
    return found | causal_scores() if tokens else found


def causal_scores() -> dict[str, str]:
    """Return name → meaning of the scores of heads that do not look ahead."""
    scores = {name: meaning for name, meaning in SCORES.items() if name not in LOOKING_AHEAD}
    best = {
        f"{name}_best_head": f"`{name}` of the layer's best head: chosen on half A of the probe "
        "set, judged on half B"
        for name in scores
    }
    return scores | best


def token_catalogue(options: MetricsSpec) -> dict[str, str]:
    """Return name → meaning of every metric of texts, streamed or dense."""
    rows = {name: _first_line(metric) for name, metric in row_metrics(options).items()}
    lags = {"lag_profile": PROFILES["lag_profile"]}
    peaks = {name: meaning for name, meaning in PEAKS.items() if name not in OF_WINDOWS}
    return rows | peaks | SCORES | TOKENS | lags | SPLIT | DENSE | ROWS


def _first_line(metric: Callable) -> str:
    return (getdoc(getattr(metric, "func", metric)) or "").partition("\n")[0]
