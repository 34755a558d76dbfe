"""What a battery says, as rows of the metrics table."""

import numpy as np
from jaxtyping import Float

from attnpipe.core.errors import UserError
from attnpipe.core.record import Probe
from attnpipe.measurement.table import MetricTable
from attnpipe.metrics.battery import Battery
from attnpipe.metrics.profile import ProfileSums
from attnpipe.metrics.published import published_numbers
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.rows import REASONS

UNKNOWABLE = "unknowable"
SPLIT = ("position_information", "content_information", "content_share")
PEAKS = ("peak_count", "peak_resolved_share", "peak_lag_mode", "peak_lag_median", "peak_lag_iqr")


def emit(table: MetricTable, battery: Battery, probe: Probe, *, per_item: bool) -> None:
    """Add all that a battery knows; what averaging destroyed is named as unknowable."""
    emit_validity(table, battery)
    emit_profiles(table, battery, probe)
    if not probe.averaged_over:
        emit_row_means(table, battery, per_item=per_item)
        emit_peaks(table, battery)
        emit_split(table, battery)
        return
    lost = [*battery.means.metrics, *PEAKS, *SPLIT]
    lost += ["lag_profile"] if "query" in probe.averaged_over else []
    for metric in lost:
        nothing = np.full(len(battery.means.rows), np.nan)
        table.add(metric, nothing, 0, 0, condition=UNKNOWABLE)


def emit_validity(table: MetricTable, battery: Battery) -> None:
    """Add the counts of valid rows and of the others by reason, out of all rows seen."""
    validity = battery.validity
    table.add("rows_valid", validity.valid.astype(np.float64), validity.total, 0)
    for reason in REASONS:
        count = validity.excluded(reason).astype(np.float64)
        table.add("rows_excluded", count, validity.total, 0, condition=reason)


def emit_row_means(
    table: MetricTable, battery: Battery, *, per_item: bool, condition: str | None = None
) -> None:
    """Add the mean of every row metric, and its mean per probe sample if asked for."""
    fold = battery.means
    rows = fold.rows
    for metric in fold.metrics:
        means = fold.means(metric)
        left_out = rows.sum(axis=-1) - means.count
        table.add(metric, means.mean, means.count, left_out, condition=condition)
        if per_item:
            left_out = rows - means.item_count
            table.add(metric, means.item_mean, means.item_count, left_out, item=fold.samples)


def emit_peaks(table: MetricTable, battery: Battery) -> None:
    """Add the histogram of resolved peaks over lag, and its summary.

    Lags of the support without a peak have a row, too: another seed may have its peak
    there, and 0 is no missing value.
    """
    peaks, heads = battery.peaks, range(len(battery.peaks.rows))
    rows = battery.means.rows.sum(axis=-1)
    resolved = peaks.count.sum(axis=-1)
    left_out = rows - resolved
    low, median, high = (
        np.array([peaks.quantile(head, q) for head in heads]) for q in (0.25, 0.5, 0.75)
    )
    mode = np.array([peaks.mode(head) for head in heads])
    lags, _ = battery.profile.lag_profile()
    counts = np.zeros((len(heads), len(lags)))
    counts[:, np.searchsorted(lags, peaks.lags)] = peaks.count
    table.add("peak_count", counts, resolved[:, None], left_out[:, None], target=lags)
    table.add("peak_resolved_share", divide(resolved, peaks.rows), peaks.rows, rows - peaks.rows)
    table.add("peak_lag_mode", mode, resolved, left_out)
    table.add("peak_lag_median", median, resolved, left_out)
    table.add("peak_lag_iqr", high - low, resolved, left_out)


def emit_split(table: MetricTable, battery: Battery, *, condition: str | None = None) -> None:
    """Add positional and content information."""
    split = battery.profile.split(battery.options.row_tolerance)
    left_out = battery.means.rows.sum(axis=-1) - split.rows
    for metric, value in zip(SPLIT, (split.position, split.content, split.share), strict=True):
        table.add(metric, value, split.rows, left_out, condition=condition)


def emit_profiles(table: MetricTable, battery: Battery, probe: Probe) -> None:
    """Add the mean profile over keys and over lags, and the published numbers."""
    profile = battery.profile
    rows = profile.rows.sum(axis=-1)
    left_out = battery.means.rows.sum(axis=-1) - rows
    counts = rows[:, None], left_out[:, None]
    table.add("profile", profile.profile(), *counts, target=profile.keys)
    if "query" not in probe.averaged_over:
        lags, mass = profile.lag_profile()
        table.add("lag_profile", mass, *counts, target=lags)
    published, rows = published_profile(profile, probe.published_row)
    unseen = battery.means.rows.sum(axis=-1) - rows
    if probe.published_row == "last_query" and profile.rows.shape[1] > 1:
        counts = rows[:, None], unseen[:, None]
        table.add("profile_published", published, *counts, target=profile.keys)
    numbers = [published_numbers(p, battery.options.recent_k) for p in published]
    for metric in numbers[0] if numbers else ():
        value = np.array([n[metric] for n in numbers])
        if metric == "profile_peak":
            known = ~np.isnan(value)
            value[known] = profile.keys[value[known].astype(np.int64)]
        table.add(metric, value, rows, unseen)


def published_profile(
    profile: ProfileSums, row: str
) -> tuple[Float[np.ndarray, "head key"], Float[np.ndarray, " head"]]:
    """Return the averaged row that the published numbers go by, and the rows behind it.

    Raises
    ------
    UserError
        If the row is not one of ``only``, ``last_query``, ``mean_query``, or is ``only``
        where there are several queries.
    """
    queries = profile.rows.shape[1]
    if row == "mean_query":
        return profile.profile(), profile.rows.sum(axis=-1)
    if row not in ("only", "last_query"):
        raise UserError(f"unknown published_row '{row}': only, last_query or mean_query")
    if row == "only" and queries != 1:
        raise UserError(
            f"published_row is 'only', but there are {queries} query rows: "
            "take last_query or mean_query"
        )
    return profile.row_profiles()[:, -1], profile.rows[:, -1]
