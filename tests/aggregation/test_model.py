from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from tests.aggregation.builders import history, record, run, weights

from attnpipe.aggregation.model import aggregate_model
from attnpipe.aggregation.reading import read_runs
from attnpipe.aggregation.runs import ModelTables, RunTables
from attnpipe.aggregation.study import combine
from attnpipe.core.outcome import Outcome
from attnpipe.core.record import Probe
from attnpipe.io.outcome import write_outcome
from attnpipe.io.parquet import write_table
from attnpipe.io.record import write_probe, write_records
from attnpipe.io.seal import write_seal
from attnpipe.measurement.run import measure
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.history import HISTORY
from attnpipe.tables.metrics import METRICS
from attnpipe.tables.study import STUDY_TABLES

SPEC = MetricsSpec(top_k=[2], recent_k=[2])


def measured(seed, epochs=12, shape=(1, 16, 1, 10), final="best"):
    """A run whose metrics are really measured."""
    rng = np.random.default_rng(seed)
    start, end = weights(seed, shape, sd=0.05), weights(seed, shape, shared=0.7)
    records = [record("untrained", start)]
    for epoch in range(1, epochs + 1):
        part = min(1.0, epoch / 5)
        noisy = (1 - part) * start + part * end + 1e-4 * rng.random(shape)
        records.append(record(f"epoch_{epoch:03d}", noisy / noisy.sum(-1, keepdims=True)))
    records.append(record(final, end))
    probe = Probe(np.arange(shape[1]) % 2, final=final)
    table = measure(records, probe, SPEC, model="m", seed=seed)
    return RunTables(
        seed, Outcome("ok", None, 10), probe, table, history(seed), records[-1:], records[:1]
    )


@pytest.fixture(scope="module")
def runs():
    return [measured(seed) for seed in (1, 2, 3)]


def assert_schemas(tables):
    for field in fields(ModelTables):
        assert dict(getattr(tables, field.name).schema) == STUDY_TABLES[field.name].schema


def test_measured_runs_fill_every_table(runs):
    tables = aggregate_model("m", runs)
    assert_schemas(tables)
    assert tables.inventory["rows_valid"].to_list() == [16] * 3
    assert tables.inventory["rows_excluded"].to_list() == [0] * 3
    assert tables.inventory["checkpoints"].to_list() == [14] * 3
    entropy = tables.metrics.filter(pl.col("metric") == "entropy_normalized")
    assert set(entropy["n"]) == {3}
    assert entropy["lo95"].null_count() == 0
    word = tables.metrics.filter(pl.col("as_published").is_not_null())
    assert word.select("checkpoint", "metric").rows() == [("best", "profile_entropy_normalized")]
    settled = tables.convergence.group_by("seed").agg(pl.col("convergence_epoch").first())
    assert all(2 <= epoch <= 5 for epoch in settled["convergence_epoch"])
    assert not tables.convergence["censored"].any()
    assert tables.convergence["jsd_final"].null_count() == 0
    assert tables.history.height == 9
    assert tables.similarity["value"].null_count() == 0


def test_bad_runs_and_copies_are_listed_and_take_no_part(runs):
    first = runs[0]
    copy = RunTables(8, first.outcome, first.probe, first.metrics, history(8), first.final)
    bad = RunTables(9, Outcome("diverged", "NaN in epoch 2"), history=history(9, epochs=2))
    tables = aggregate_model("m", [*runs, copy, bad])
    alone = aggregate_model("m", runs)
    for name in ("metrics", "metric_values", "similarity", "convergence"):
        assert getattr(tables, name).equals(getattr(alone, name)), name
    assert tables.inventory["seed"].to_list() == [1, 2, 3, 8, 9]
    assert tables.inventory["identical_to"].to_list() == [None] * 3 + ["m/seed-1", None]
    assert tables.history["seed"].unique(maintain_order=True).to_list() == [1, 2, 3, 8, 9]


def test_a_model_without_attention_has_inventory_and_history_only():
    plain = [RunTables(s, Outcome("ok", None, 5), history=history(s)) for s in (1, 2)]
    tables = aggregate_model("lstm", plain)
    assert_schemas(tables)
    heights = {f.name: getattr(tables, f.name).height for f in fields(ModelTables)}
    assert heights == {"inventory": 2, "metrics": 0, "metric_values": 0, "similarity": 0,
                       "convergence": 0, "history": 6}  # fmt: skip


def test_a_model_of_failed_runs_does_not_crash():
    tables = aggregate_model("m", [run(1, outcome="failed"), run(2, outcome="diverged")])
    assert_schemas(tables)
    assert tables.metrics.height == 0
    assert tables.inventory.height == 2


def test_mixed_shapes_and_finals_do_not_crash():
    mixed = [
        run(1), run(2, final="epoch_012", of=weights(2, (2, 4, 1, 8))),
        run(3, final="test", of=weights(3, (1, 6, 1, 5)), untrained=False),
        run(4, outcome="refused"),
    ]  # fmt: skip
    tables = aggregate_model("m", mixed)
    assert_schemas(tables)
    assert "final" in tables.metrics["checkpoint"].to_list()


def test_aggregation_is_repeatable(runs):
    first, second = (aggregate_model("m", runs) for _ in range(2))
    for field in fields(ModelTables):
        assert getattr(first, field.name).equals(getattr(second, field.name))


def test_models_are_put_together_in_order(runs):
    parts = [
        aggregate_model("b", runs[:2]).inventory,
        aggregate_model("a", []).inventory,
        aggregate_model("c", runs[2:]).inventory,
    ]
    study = combine(parts)
    assert study["model"].to_list() == ["b", "b", "c"]
    assert dict(study.schema) == STUDY_TABLES["inventory"].schema


def test_runs_are_read_as_they_were_written(tmp_path, runs):
    files = {name: [] for name in ("outcome", "history", "metrics", "probe", "attention")}
    nothing = Probe(np.zeros(0, dtype=np.int64))
    bad = RunTables(9, Outcome("diverged", "NaN"), nothing, history=history(9, epochs=1))
    for one in (runs[0], bad):
        folder = tmp_path / str(one.seed)
        folder.mkdir()
        suffixes = {"outcome": "json", "probe": "json", "attention": "safetensors"}
        paths = {n: folder / f"{n}.{suffixes.get(n, 'parquet')}" for n in files}
        write_outcome(paths["outcome"], one.outcome)
        write_table(paths["history"], one.history, HISTORY)
        write_table(
            paths["metrics"], METRICS.frame() if one.metrics is None else one.metrics, METRICS
        )
        write_probe(paths["probe"], one.probe)
        middle = [record("epoch_001", weights(0))]
        write_records(paths["attention"], [*one.untrained, *middle, *one.final])
        write_seal("job", "job", "{}", list(paths.values()))
        for name, path in paths.items():
            files[name].append(path)

    good, diverged = read_runs([1, 9], files)
    assert (good.seed, good.outcome) == (1, runs[0].outcome)
    assert good.metrics.equals(runs[0].metrics)
    assert [r.checkpoint for r in good.final] == ["best"]
    assert [r.checkpoint for r in good.untrained] == ["untrained"]
    assert np.array_equal(good.final[0].weights, runs[0].final[0].weights)
    assert (diverged.outcome.reason, diverged.metrics, diverged.final) == ("NaN", None, ())
    assert diverged.probe.has_seeds
    expected = aggregate_model("m", [runs[0], bad])
    found = aggregate_model("m", [good, diverged])
    for field in fields(ModelTables):
        assert getattr(found, field.name).equals(getattr(expected, field.name)), field.name


def test_runs_without_attention_need_no_attention_files(tmp_path):
    write_outcome(tmp_path / "outcome.json", Outcome("ok"))
    write_seal("job", "job", "{}", [tmp_path / "outcome.json"])
    (plain,) = read_runs([1], {"outcome": [tmp_path / "outcome.json"]})
    assert plain == RunTables(1, Outcome("ok"))
