"""Every metric has a meaning."""

from attnpipe.metrics.catalogue import catalogue, token_catalogue
from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.schema.analysis import MetricsSpec


def test_metrics_of_texts_have_meanings():
    options = MetricsSpec(top_k=[3])
    found = token_catalogue(options)
    assert set(row_metrics(options)) | set(SCORES) < set(found)
    assert "top_mass_3" in found
    assert "peak_lag_iqr" in found
    assert "peak_count" not in found
    assert all(found.values())


def test_shared_metrics_mean_the_same():
    of_runs, of_texts = catalogue(MetricsSpec()), token_catalogue(MetricsSpec())
    for name in of_runs.keys() & of_texts.keys():
        assert of_runs[name] == of_texts[name]
