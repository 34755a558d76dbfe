"""The metrics table of a run, against what its records hold."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy
from tests.measurement.records import CHECKPOINTS, make_probe, make_records

from attnpipe.core.block import Block
from attnpipe.core.errors import UserError
from attnpipe.core.record import SHUFFLED
from attnpipe.measurement.parts import block, parts
from attnpipe.measurement.run import measure
from attnpipe.metrics.battery import Battery
from attnpipe.metrics.catalogue import catalogue
from attnpipe.metrics.published import published_numbers
from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.rows import REASONS
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.metrics import METRICS

OPTIONS = MetricsSpec(top_k=[2, 5], recent_k=[2, 3])
RUN_PARTS = "attnpipe.measurement.run.parts"
ROW_METRICS = list(row_metrics(OPTIONS))
LOST = [
    *ROW_METRICS,
    *("peak_count", "peak_resolved_share", "peak_lag_mode", "peak_lag_median", "peak_lag_iqr"),
    *("position_information", "content_information", "content_share"),
]


def run(records=None, probe=None, options=OPTIONS):
    records = make_records() if records is None else records
    return measure(iter(records), probe or make_probe(), options, model="m", seed=3)


def rows_of(frame, metric, **where):
    frame = frame.filter(pl.col("metric") == metric)
    for name, value in where.items():
        column = pl.col(name)
        frame = frame.filter(column.is_null() if value is None else column == value)
    return frame


def value_of(frame, metric, **where):
    rows = rows_of(frame, metric, **{"item": None, **where})
    assert len(rows) == 1
    return rows["value"][0]


def naive_entropy(record, head):
    return np.array([[scipy_entropy(row) for row in sample] for sample in record.weights[head]])


def test_table_conforms_and_every_metric_is_in_the_catalogue():
    frame = run(make_records(layers=2))
    assert frame.schema == METRICS.schema
    assert set(frame["metric"]) == set(catalogue(OPTIONS))
    assert all(meaning for meaning in catalogue(OPTIONS).values())
    assert frame["model"].unique().to_list() == ["m"]
    assert frame["seed"].unique().to_list() == [3]
    assert sorted(frame["layer"].unique()) == [0, 1]
    known = frame.drop("condition", "item", "query", "target", "value")
    assert known.null_count().sum_horizontal().item() == 0
    assert not frame["value"].is_nan().any()


def test_shuffled_inputs_are_a_condition_of_the_final_checkpoint():
    records = make_records()
    other = replace(make_records(["best"], seed=1)[0], checkpoint=SHUFFLED)
    frame = run([*records, other])
    rows = frame.filter(pl.col("condition") == SHUFFLED)
    assert set(rows["checkpoint"]) == {"best"}
    split = ["position_information", "content_information", "content_share"]
    assert set(rows["metric"]) == {*ROW_METRICS, *split}
    assert rows["item"].null_count() == rows.height == 2 * (len(ROW_METRICS) + 3)
    as_best = run([*records[:-1], replace(other, checkpoint="best")])
    for metric in ("kl_uniform", "lag_mean", "content_share"):
        for head in (0, 1):
            found = value_of(frame, metric, head=head, condition=SHUFFLED)
            where = {"head": head, "checkpoint": "best", "condition": None}
            assert found == pytest.approx(value_of(as_best, metric, **where))
            assert found != pytest.approx(value_of(frame, metric, **where))
    assert frame.filter(pl.col("condition").ne_missing(SHUFFLED)).equals(run(records))


def test_no_metric_is_reported_twice():
    key = ["checkpoint", "layer", "head", "condition", "item", "target", "metric"]
    frame = run(make_records(layers=2))
    assert not frame.select(key).is_duplicated().any()


def test_mean_row_entropy_of_every_checkpoint_and_head():
    records = make_records()
    frame = run(records)
    for record in records:
        for head in range(2):
            rows = rows_of(frame, "entropy", checkpoint=record.checkpoint, head=head, item=None)
            expected = naive_entropy(record, head).mean()
            assert rows["value"].to_list() == [pytest.approx(expected, rel=1e-6)]
            assert rows["n_rows"].to_list() == [24]
            assert rows["n_excluded"].to_list() == [0]


def test_items_are_measured_at_the_final_checkpoint_only():
    records = make_records()
    frame = run(records, make_probe(final="epoch_010"))
    items = frame.filter(pl.col("item").is_not_null())
    assert items["checkpoint"].unique().to_list() == ["epoch_010"]
    assert set(items["metric"]) == set(ROW_METRICS)
    rows = rows_of(items, "entropy", head=1).sort("item")
    assert rows["item"].to_list() == list(range(6))
    assert rows["n_rows"].to_list() == [4] * 6
    np.testing.assert_allclose(rows["value"], naive_entropy(records[3], 1).mean(axis=1), rtol=1e-6)


def test_row_divergence_to_previous_and_last_epoch():
    records = {r.checkpoint: r for r in make_records()}
    frame = run(list(records.values())[::-1])  # the order in which records come is no matter
    trajectory = ["untrained", "epoch_001", "epoch_002", "epoch_010"]

    def naive(a, b, head):
        pairs = zip(
            records[a].weights[head].reshape(-1, 6),
            records[b].weights[head].reshape(-1, 6),
            strict=True,
        )
        return np.mean([jensenshannon(p.astype(float), q.astype(float)) ** 2 for p, q in pairs])

    for head in range(2):
        for before, now in pairwise(trajectory):
            mine = value_of(frame, "jsd_previous", checkpoint=now, head=head)
            assert mine == pytest.approx(naive(now, before, head), rel=1e-5)
        for now in trajectory[:-1]:
            mine = value_of(frame, "jsd_final", checkpoint=now, head=head)
            assert mine == pytest.approx(naive(now, "epoch_010", head), rel=1e-5)
        assert value_of(frame, "jsd_final", checkpoint="epoch_010", head=head) == 0.0
    assert rows_of(frame, "jsd_previous", checkpoint="untrained").is_empty()
    for metric in ("jsd_previous", "jsd_final"):
        assert rows_of(frame, metric, checkpoint="best").is_empty()


def test_a_row_that_is_invalid_at_either_checkpoint_does_not_diverge():
    records = make_records()
    weights = records[1].weights.copy()
    weights[0, 0, 0] *= 2
    frame = run([records[0], replace(records[1], weights=weights), *records[2:]])
    for checkpoint in ("epoch_001", "epoch_002"):
        rows = rows_of(frame, "jsd_previous", checkpoint=checkpoint, head=0)
        assert rows["n_rows"].to_list() == [23]
        assert rows["n_excluded"].to_list() == [1]


def test_checkpoints_are_ordered_by_number():
    names = ("epoch_2", "untrained", "epoch_10", "best")
    records = make_records(names)
    frame = run(records)
    assert frame["checkpoint"].unique(maintain_order=True).to_list() == [
        *("untrained", "epoch_2", "epoch_10", "best")
    ]


def test_disjoint_rows_diverge_by_ln_2():
    records = make_records(("epoch_001", "epoch_002", "best"), keys=4, queries=1)
    one_hot = np.zeros_like(records[0].weights)
    one_hot[..., 0] = 1
    other = np.roll(one_hot, 1, axis=-1)
    records = [replace(records[0], weights=one_hot), replace(records[1], weights=other), records[2]]
    frame = run(records)
    assert value_of(frame, "jsd_previous", checkpoint="epoch_002", head=0) == pytest.approx(
        np.log(2)
    )


def test_profiles_peaks_and_published_numbers():
    records = make_records()
    frame = run(records)
    weights = records[-1].weights.astype(float)
    at = {"checkpoint": "best", "head": 0}
    profile = rows_of(frame, "profile", **at).sort("target")
    assert profile["target"].to_list() == list(range(6))
    np.testing.assert_allclose(profile["value"], weights[0].mean(axis=(0, 1)), rtol=1e-6)
    assert rows_of(frame, "lag_profile", **at)["value"].sum() == pytest.approx(1)
    last = rows_of(frame, "profile_published", **at).sort("target")
    np.testing.assert_allclose(last["value"], weights[0, :, -1].mean(axis=0), rtol=1e-6)
    assert set(last["n_rows"]) == {6}
    numbers = published_numbers(weights[0, :, -1].mean(axis=0), OPTIONS.recent_k)
    for name, value in numbers.items():
        assert value_of(frame, name, **at) == pytest.approx(value, rel=1e-5)
        assert rows_of(frame, name, **at)["n_rows"].to_list() == [6]
    counts = rows_of(frame, "peak_count", **at)
    assert counts["value"].sum() == counts["n_rows"][0]
    share = value_of(frame, "peak_resolved_share", **at)
    assert share == pytest.approx(counts["value"].sum() / 24)
    total = sum(value_of(frame, f"{part}_information", **at) for part in ("position", "content"))
    assert total == pytest.approx(value_of(frame, "kl_uniform", **at), rel=1e-9)


def test_published_row_may_be_the_mean_over_queries_or_the_only_one():
    records = make_records()
    frame = run(records, make_probe(published_row="mean_query"))
    expected = published_numbers(records[-1].weights[0].mean(axis=(0, 1), dtype=float), [2])
    at = {"checkpoint": "best", "head": 0}
    name = "profile_entropy_normalized"
    assert value_of(frame, name, **at) == pytest.approx(expected[name], rel=1e-6)
    assert rows_of(frame, "profile_published").is_empty()  # it is the profile itself
    single = run(make_records(queries=1), make_probe(published_row="only"))
    last = run(make_records(queries=1), make_probe(published_row="last_query"))
    assert single.equals(last)


def test_peak_is_a_key_position():
    records = [replace(r, key_positions=r.key_positions + 100) for r in make_records()]
    assert value_of(run(records), "profile_peak", checkpoint="best", head=0) >= 100


def test_validity_is_counted_by_reason():
    records = make_records()
    weights = records[-1].weights.copy()
    weights[0, 0, 0] *= 2
    weights[0, 1, 1, 0] = np.nan
    frame = run([*records[:-1], replace(records[-1], weights=weights)])
    at = {"checkpoint": "best", "head": 0}
    assert value_of(frame, "rows_valid", **at) == 22
    excluded = rows_of(frame, "rows_excluded", **at)
    assert excluded["condition"].to_list() == list(REASONS)
    assert excluded["value"].to_list() == [0, 1, 0, 0, 1]
    assert excluded["n_rows"].to_list() == [24] * 5
    assert rows_of(frame, "entropy", **at, item=None)["n_excluded"].to_list() == [2]
    assert rows_of(frame, "profile", **at)["n_excluded"].unique().to_list() == [2]


def test_undefined_metrics_are_null_with_no_rows():
    rows = rows_of(run(), "top_excess_5", checkpoint="best", head=0, item=None)
    few = run(make_records(keys=4, queries=2))
    gone = rows_of(few, "top_excess_5", checkpoint="best", head=0, item=None)
    assert rows["n_rows"].to_list() == [6]  # only the last query sees 6 keys
    assert rows["n_excluded"].to_list() == [18]
    assert gone["value"].to_list() == [None]
    assert gone["n_rows"].to_list() == [0]
    assert gone["n_excluded"].to_list() == [12]


def test_split_into_blocks_does_not_change_the_table(monkeypatch):
    whole = run(make_records(layers=2))
    for size in (1, 40, 300):
        monkeypatch.setattr(RUN_PARTS, partial(parts, weights_per_block=size))
        cut = run(make_records(layers=2))
        assert cut.drop("value").equals(whole.drop("value"))
        mine, theirs = (f["value"].fill_null(-1).to_numpy() for f in (cut, whole))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [1, 5, 13, 30, 100, 10_000])
def test_parts_cover_every_row_once_and_stay_small(size):
    record = make_records(heads=2, samples=5, queries=4, keys=6)[0]
    seen = np.zeros((5, 4), int)
    for part in parts(record, size):
        seen[part] += 1
        rows = block(record, part)
        assert rows.weights.size <= max(size, 2 * 6)
        assert rows.support.shape[1] == rows.weights.shape[2]
        np.testing.assert_array_equal(rows.query_positions, record.query_positions[part[1]])
    assert np.all(seen == 1)


class TestAveraged:
    def records(self):
        return [
            replace(r, weights=r.weights.mean(axis=1, keepdims=True), samples=np.arange(1))
            for r in make_records(queries=1)
        ]

    def test_what_averaging_destroyed_is_named_once_and_not_computed(self):
        frame = run(self.records(), make_probe(1, averaged_over=("sample",)))
        for metric in LOST:
            rows = rows_of(frame, metric)
            assert len(rows) == len(CHECKPOINTS) * 2, metric
            assert rows["condition"].unique().to_list() == ["unknowable"]
            assert rows["value"].null_count() == len(rows)
            assert rows["n_rows"].unique().to_list() == [0]
            assert rows["item"].null_count() == len(rows)

    def test_profiles_and_their_divergences_are_known(self):
        records = self.records()
        frame = run(records, make_probe(1, averaged_over=("sample",)))
        at = {"checkpoint": "epoch_002", "head": 1}
        before, now = (records[i].weights[1, 0, 0].astype(float) for i in (1, 2))
        mine = value_of(frame, "jsd_previous", **at)
        assert mine == pytest.approx(jensenshannon(before, now) ** 2, rel=1e-5)
        np.testing.assert_allclose(rows_of(frame, "profile", **at)["value"], now, rtol=1e-6)
        assert value_of(frame, "profile_entropy_normalized", **at) == pytest.approx(
            scipy_entropy(now) / np.log(6), rel=1e-6
        )
        assert rows_of(frame, "lag_profile", **at)["condition"].null_count() == 6

    def test_lags_are_lost_with_the_queries(self):
        frame = run(self.records(), make_probe(1, averaged_over=("sample", "query")))
        assert rows_of(frame, "lag_profile")["condition"].unique().to_list() == ["unknowable"]


class TestStoredBattery:
    def stored(self, options=OPTIONS):
        """All samples in the states, two of them in full."""
        records = []
        for record in make_records():
            battery = Battery(options)
            battery.update(
                Block(
                    record.weights,
                    record.support,
                    record.query_positions,
                    record.key_positions,
                    record.samples,
                )
            )
            kept = np.array([1, 4])
            records.append(
                replace(
                    record,
                    weights=record.weights[:, kept],
                    samples=kept,
                    states={"battery": battery.state()},
                )
            )
        return records

    def test_metrics_are_over_all_samples_and_divergences_over_those_kept(self):
        from_states, from_weights = run(self.stored()), run()
        is_jsd = pl.col("metric").str.starts_with("jsd")
        assert from_states.filter(~is_jsd).equals(from_weights.filter(~is_jsd))
        kept = [replace(r, states={}) for r in self.stored()]
        expected = run(kept).filter(is_jsd)
        assert from_states.filter(is_jsd).equals(expected)
        assert expected["n_rows"].unique().to_list() == [8]

    def test_other_options_than_at_capture_are_refused(self):
        with pytest.raises(UserError, match=r"'untrained' were captured with .*extract again"):
            run(self.stored(MetricsSpec()))


def test_no_records_give_an_empty_table():
    assert run([]).equals(METRICS.frame())


@pytest.mark.parametrize(
    ("records", "probe", "message"),
    [
        (make_records(CHECKPOINTS[:-1]), make_probe(), "no final checkpoint 'best' among unt"),
        (make_records(("epoch_1", "last")), make_probe(final="last"), "unknown checkpoint 'last'"),
        (make_records() * 2, make_probe(), "layer 0 has checkpoint 'untrained' twice"),
        (
            make_records(CHECKPOINTS[:3]) + make_records(CHECKPOINTS[3:], samples=5),
            make_probe(),
            r"'untrained' and 'epoch_010' of layer 0 hold other rows",
        ),
        (make_records(), make_probe(published_row="only"), "is 'only', but there are 4"),
        (make_records(), make_probe(published_row="first"), "unknown published_row 'first'"),
    ],
)  # fmt: skip
def test_bad_records_are_named_in_one_sentence(records, probe, message):
    with pytest.raises(UserError, match=message) as caught:
        run(records, probe)
    assert "\n" not in str(caught.value)


def test_inputs_are_not_changed():
    records = make_records()
    before = [r.weights.copy() for r in records]
    for record in records:
        record.weights.flags.writeable = False
    run(records)
    for record, weights in zip(records, before, strict=True):
        np.testing.assert_array_equal(record.weights, weights)


def test_importing_costs_no_torch_matplotlib_or_scipy():
    code = (
        "import sys, attnpipe.measurement.run as r; "
        "print([m for m in ('torch', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
