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
    last = {i: item.weights[:, -1] for i, item in enumerate(items)}
    table.add_without_found("pretrained", 3, battery, last)
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


def naive_row(row, sinks):
    """Entropy, its share of ln n, largest weight and mean lag of a row without some keys."""
    kept = [k for k in range(len(row)) if k not in sinks]
    p = np.array([row[k] for k in kept]) / sum(row[k] for k in kept)
    entropy = -sum(x * np.log(x) for x in p)
    lag = sum(x * (len(row) - 1 - k) for x, k in zip(p, kept, strict=True))
    return {"entropy": entropy, "entropy_normalized": entropy / np.log(len(kept)),
            "max_weight": max(p), "lag_mean": lag}  # fmt: skip


def test_last_rows_are_also_measured_without_the_sinks_of_their_variant(planted):
    """The first key is declared; 7 is not, and a sink of one variant alone."""
    items, frame = planted
    own = frame.filter(condition="found_sinks_removed")
    assert set(own["rows"]) == {"last"}
    assert set(own["metric"]) == set(frame.filter(metric="entropy", rows="last")["metric"]) | set(
        frame.filter(rows="last", condition="sinks_removed")["metric"]
    )
    for variant, numbers in VARIANTS.items():
        sinks = {0, 7} if variant == "elsewhere" else {0}
        for item in numbers:
            wanted = [naive_row(row, sinks) for row in items[item].weights[:, -1]]
            for metric in ("entropy", "entropy_normalized", "max_weight"):
                found = own.filter(metric=metric, item=item).sort("head")
                np.testing.assert_allclose(found["value"], [w[metric] for w in wanted], rtol=1e-9)
                assert found["n_excluded"].to_list() == [0] * HEADS
            (found,) = own.filter(metric="lag_mean", item=item)["value"]
            np.testing.assert_allclose(found, np.mean([w["lag_mean"] for w in wanted]), rtol=1e-9)
