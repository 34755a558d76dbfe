"""Sinks that the weights show, as the table of metrics gives them."""

import numpy as np
import pytest
from tests.metrics.tokens.cases import Item, batch, make_support, make_text, texts_of

from attnpipe.extraction.text.table import TextMetricTable
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.schema.analysis import MetricsSpec

LENGTH, HEADS = 48, 2
VARIANTS = {"parked": [0, 1, 2], "elsewhere": [3, 4], "nowhere": [5, 6]}
SINK = {"parked": 0, "elsewhere": 7, "nowhere": None}


@pytest.fixture(scope="module")
def planted():
    """Texts of each variant with 0.8 of their weight on its sink, and what the table says."""
    rng = np.random.default_rng(0)
    support, items = make_support("causal", LENGTH), []
    for variant, own in VARIANTS.items():
        for _ in own:
            weights = rng.uniform(0.5, 1.5, (HEADS, LENGTH, LENGTH)) * support
            weights /= weights.sum(axis=-1, keepdims=True)
            if (sink := SINK[variant]) is not None:
                weights[:, sink:] *= 0.2
                weights[:, sink:, sink] += 0.8
            items.append(Item(weights, support, make_text(range(LENGTH))))
    battery = TokenBattery(MetricsSpec(top_k=[2], recent_k=[2]), texts_of(items))
    battery.update(batch(items))
    table = TextMetricTable("m", [], [], VARIANTS)
    table.add("pretrained", 3, battery)
    return items, table.frame()


def test_each_variant_has_its_own_sinks(planted):
    _, frame = planted
    found = frame.filter(metric="data_sink_mass")
    for variant, own in VARIANTS.items():
        of = found.filter(found["item"].is_in(own))
        wanted = set() if SINK[variant] is None else {SINK[variant]}
        assert set(of["target"]) == wanted, variant
        assert of.height == len(wanted) * len(own) * HEADS
    assert set(found["layer"]) == {3}
    assert set(found["rows"]) == {"all"}
    assert found["condition"].null_count() == found.height


def test_their_mass_is_the_mean_over_all_rows(planted):
    items, frame = planted
    for variant in ("parked", "elsewhere"):
        sink = SINK[variant]
        for item in VARIANTS[variant]:
            rows = frame.filter(metric="data_sink_mass", item=item).sort("head")
            wanted = items[item].weights[:, :, sink].mean(axis=1)
            np.testing.assert_allclose(rows["value"], wanted, rtol=1e-12)
            uniform = sum(1 / (q + 1) for q in range(sink, LENGTH)) / LENGTH
            np.testing.assert_allclose(rows["chance"], uniform, rtol=1e-12)
            assert rows["n_rows"].to_list() == [LENGTH] * HEADS


def test_what_table_heads_is_made_of_is_kept_for_every_head_whatever_is_asked(planted):
    _, frame = planted
    for metric in ("entropy", "entropy_normalized", "max_weight"):
        for condition in (None, "sinks_removed"):
            own = frame.filter(metric=metric, rows="last", item=0)
            own = own.filter(own["condition"].eq_missing(condition))
            assert own["head"].to_list() == list(range(HEADS)), (metric, condition)
    assert frame.filter(metric="gini")["head"].null_count() == frame.filter(metric="gini").height
