"""Peaks by lag, text by text, against loops over rows."""

from statistics import multimode

import numpy as np
import pytest
from tests.metrics.tokens.cases import KINDS, batch, make_items, one, texts_of
from tests.metrics.tokens.reference import rows_of, valid

from attnpipe.metrics.peaks import Peaks
from attnpipe.metrics.rows import Rows
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.peaks import SamplePeaks
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[2], recent_k=[3], peak_tolerance=0.1)


def naive_lags(p, seen, h):
    """Rows with a choice, and the lags of those that stand out."""
    able = [q for q in valid(seen, h) if len(seen[h][q]) > 1]
    lags = []
    for q in able:
        first, second = sorted(p[h, q], reverse=True)[:2]
        if first - second > OPTIONS.peak_tolerance:
            lags.append(q - max(range(len(p[h, q])), key=lambda k: p[h, q, k]))
    return len(able), lags


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", [None, "sinks_removed"])
@pytest.mark.parametrize("which", ["all", "last"])
def test_every_text_has_the_peaks_of_its_rows(kind, condition, which):
    items = make_items(kind)
    battery = TokenBattery(OPTIONS, texts_of(items))
    battery.update(batch(items))
    peaks = battery.views[which, condition].peaks
    resolved = 0
    for sample, item in enumerate(items):
        length = len(item.text.ids)
        sinks = {0, length - 1} if condition else ()
        p, seen = rows_of(item, sinks, only=length - 1 if which == "last" else None)
        for h in range(len(p)):
            able, lags = naive_lags(p, seen, h)
            resolved += len(lags)
            assert peaks.rows[h, sample] == able
            assert peaks.resolved[h, sample] == len(lags)
            if able:
                assert peaks.share[h, sample] == len(lags) / able
            else:
                assert np.isnan(peaks.share[h, sample])
            for q in (0.0, 0.25, 0.5, 0.75, 1.0):
                found = peaks.quantile(q)[h, sample]
                wanted = np.quantile(lags, q) if lags else np.nan
                np.testing.assert_allclose(found, wanted, rtol=1e-12)
            mode = min(multimode(lags)) if lags else np.nan
            np.testing.assert_equal(peaks.mode()[h, sample], mode)
    assert resolved > 0


def test_all_texts_together_are_the_peaks_of_heads():
    block = batch(make_items("full"))
    rows = Rows.from_block(block, OPTIONS.row_tolerance)
    heads, samples = Peaks(OPTIONS), SamplePeaks(OPTIONS)
    heads.add(rows)
    samples.add(rows)
    np.testing.assert_array_equal(samples.lags, heads.lags)
    np.testing.assert_array_equal(samples.count.sum(axis=1), heads.count)
    np.testing.assert_array_equal(samples.rows.sum(axis=1), heads.rows)


def test_a_text_without_a_choice_has_no_peak_at_all():
    block, _ = one([[1.0]])
    peaks = SamplePeaks(OPTIONS)
    peaks.update(block)
    assert peaks.rows.tolist() == [[0.0]]
    for found in (peaks.share, peaks.mode(), peaks.quantile(0.5)):
        np.testing.assert_equal(found, [[np.nan]])
