"""What must and what must not change a verdict, from attention rows to diagnosis."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from attnpipe.aggregation.contrast import contrast
from attnpipe.aggregation.effects import CODES, effects
from attnpipe.aggregation.model import aggregate_model
from attnpipe.aggregation.runs import RunTables
from attnpipe.core.outcome import Outcome
from attnpipe.core.record import LayerRecord, Probe
from attnpipe.diagnosis.context import DiagnosisContext
from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Diagnosis, Finding
from attnpipe.measurement.run import measure
from attnpipe.schema.analysis import ContrastSpec, MetricsSpec
from attnpipe.tables.evaluation import EVALUATION
from attnpipe.tables.interventions import INTERVENTIONS

SEEDS = (7, 42, 94, 123, 231)
LAYERS, HEADS, SAMPLES, QUERIES, KEYS, MORE = 1, 3, 24, 4, 6, 3
SHARPNESS = {"untrained": 0.1, "epoch_001": 1.0, "epoch_002": 2.0, "epoch_003": 2.0, "best": 2.0}
OPTIONS = MetricsSpec(top_k=[2], recent_k=[2, 3])
PROBE = Probe(halves=np.arange(SAMPLES) % 2, published_row="last_query")
PUBLISHED = ("published_entropy", "published_stability", "published_numbers")
"""Findings on rules that divide by the number of keys, seen or not: quoted, not ours."""

Tables = Mapping[str, pl.DataFrame]
Change = Callable[[int, LayerRecord], LayerRecord]


def records(seed: int) -> list[LayerRecord]:
    """Causal rows: what every seed learns, and what is its own."""
    own = np.random.default_rng(seed)
    queries = np.arange(KEYS - QUERIES, KEYS)
    support = (queries[:, None] >= np.arange(KEYS))[None]
    found = []
    for layer in range(LAYERS):
        shape = (HEADS, SAMPLES, QUERIES, KEYS)
        planted = np.random.default_rng(1000 + layer).standard_normal(shape)
        first, later = own.standard_normal((2, *shape))
        for checkpoint, factor in SHARPNESS.items():
            logits = first if checkpoint == "untrained" else planted + 0.3 * later
            e = np.exp(factor * logits) * support
            weights = (e / e.sum(-1, keepdims=True)).astype(np.float32)
            found.append(
                LayerRecord(
                    checkpoint, layer, weights, support, queries, np.arange(KEYS),
                    np.arange(SAMPLES),
                )
            )  # fmt: skip
    return found


def as_it_is(seed: int, record: LayerRecord) -> LayerRecord:
    return record


def with_masked_keys(seed: int, record: LayerRecord) -> LayerRecord:
    """Append keys that no query may see."""

    def padded(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros((*array.shape[:-1], MORE), array.dtype)], axis=-1)

    return replace(
        record, weights=padded(record.weights), support=padded(record.support),
        key_positions=np.arange(KEYS + MORE),
    )  # fmt: skip


def with_heads_in_another_order(seed: int, record: LayerRecord) -> LayerRecord:
    return replace(record, weights=record.weights[[2, 0, 1]])


def with_heads_in_an_order_of_its_own(seed: int, record: LayerRecord) -> LayerRecord:
    order = np.random.default_rng([seed, record.layer]).permutation(HEADS)
    return replace(record, weights=record.weights[order])


def uniform(seed: int, record: LayerRecord) -> LayerRecord:
    """Put equal weights in place of what training made."""
    if record.checkpoint == "untrained":
        return record
    support = np.broadcast_to(record.support, record.weights.shape)
    equal = support / support.sum(-1, keepdims=True)
    return replace(record, weights=equal.astype(np.float32))


USED = {
    "model": 0.1, "none": 0.5, "uniform": 0.45, "static": 0.4, "E1": 0.9, "E2": 0.8, "E3": 0.6,
    "E4": 0.7,
}  # fmt: skip
UNUSED = dict.fromkeys(USED, 0.1)


def causal_tables(means: Mapping[str, float]) -> Tables:
    """Tables of losses around given means: the model's, its arms' and under interventions."""
    items = np.arange(60)
    rng = np.random.default_rng(2)
    common = rng.normal(0, 0.004, (len(SEEDS), 1)) + rng.normal(0, 0.02, (1, len(items)))
    loss = {
        name: np.maximum(mean + common + rng.normal(0, 0.002, common.shape), 1e-4)
        for name, mean in means.items()
    }

    def rows(values: np.ndarray, **columns: object) -> pl.DataFrame:
        frame = pl.DataFrame({"item": items, "unit": items.astype(str), "loss": values})
        return frame.with_columns(**{k: pl.lit(v) for k, v in columns.items()})

    evaluations = {
        (name, seed): EVALUATION.conform(
            rows(loss[name][at], sequence="s", target=0.0, prediction=0.1, trivial_loss=1.0)
        )
        for name in ("model", "none", "uniform", "static")
        for at, seed in enumerate(SEEDS)
    }
    interventions = {
        ("model", seed): pl.concat([
            INTERVENTIONS.conform(rows(
                loss[code][at], model="model", seed=seed, intervention=name, delta=0.0
            ))
            for name, code in CODES.items()
        ])
        for at, seed in enumerate(SEEDS)
    }  # fmt: skip
    arms = {"model": {arm: arm for arm in ("none", "uniform", "static")}}
    options = ContrastSpec(delta=0.02, accuracy_threshold=1.0)
    return {
        "comparisons": contrast(evaluations, dict.fromkeys(["model", *arms["model"]]), options),
        "effects": effects(evaluations, interventions, arms, options.delta),
    }


def attention_tables(change: Change) -> Tables:
    """Measure and aggregate the rows of all seeds after a change."""
    runs = []
    for seed in SEEDS:
        own = [change(seed, record) for record in records(seed)]
        runs.append(
            RunTables(
                seed=seed, outcome=Outcome("ok"), probe=PROBE,
                metrics=measure(own, PROBE, OPTIONS, model="model", seed=seed),
                final=[r for r in own if r.checkpoint == "best"],
                untrained=[r for r in own if r.checkpoint == "untrained"],
            )
        )  # fmt: skip
    return vars(aggregate_model("model", runs))


def judged(attention: Tables, means: Mapping[str, float]) -> Diagnosis:
    context = DiagnosisContext(
        title="", labels={"model": "Model"}, attention_models=("model",),
        baselines={"model": None}, seeds=SEEDS, window=KEYS,
    )  # fmt: skip
    return diagnose({**attention, **causal_tables(means)}, context)


@pytest.fixture(scope="module")
def plain() -> Tables:
    return attention_tables(as_it_is)


def finding(diagnosis: Diagnosis, predicate: str) -> Finding:
    (found,) = [f for f in diagnosis.findings if f.predicate == predicate]
    return found


def numbers(of: Finding) -> tuple[object, ...]:
    """Return the numbers of a finding, rounded where summation may differ."""
    ends = of.effect_range or (None, None)
    values = [of.effect, of.lo95, of.hi95, *ends]
    return (of.status, of.diagnosis, *(None if v is None else round(v, 9) for v in values))


def same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    """Require equal tables, but for rounding and the order of rows."""
    keys = [c for c, kind in one.schema.items() if not kind.is_float()]
    one, other = (frame.sort(keys, nulls_last=True) for frame in (one, other))
    assert one.height == other.height > 0
    assert one.select(keys).equals(other.select(keys))
    for column in set(one.columns) - set(keys):
        a, b = (frame[column].fill_null(np.nan).to_numpy() for frame in (one, other))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=column)


def ours(metrics: pl.DataFrame) -> pl.DataFrame:
    """Leave out the numbers as published, and keys that no row sees."""
    published = pl.col("metric").str.starts_with("profile_")
    unseen = (pl.col("metric") == "profile") & (pl.col("target") >= KEYS)
    return metrics.filter(~published & ~unseen)


def test_as_it_is(plain) -> None:
    diagnosis = judged(plain, USED)
    assert finding(diagnosis, "sharpness").status == "YES"
    assert finding(diagnosis, "stability").status == "YES"
    assert finding(diagnosis, "verdict").diagnosis == "CONTENT-BENEFICIAL"
    assert finding(judged(plain, UNUSED), "verdict").diagnosis == "SHARP-BUT-UNUSED"


def test_masked_keys_change_no_metric_and_no_finding(plain) -> None:
    longer = attention_tables(with_masked_keys)
    unseen = longer["metric_values"].filter(
        (pl.col("metric") == "profile") & (pl.col("target") >= KEYS)
    )
    assert unseen.height > 0
    assert (unseen["value"] == 0).all()
    for name in ("metrics", "metric_values"):
        same(ours(plain[name]), ours(longer[name]))
    rows = pl.col("measure").is_in(
        ["centred_cosine", "residual_cosine", "matched_cosine", "indexed_cosine"]
    )
    same(plain["similarity"].filter(rows), longer["similarity"].filter(rows))
    same(plain["convergence"], longer["convergence"])
    for means in (USED, UNUSED):
        one, other = judged(plain, means), judged(longer, means)
        for a, b in zip(one.findings, other.findings, strict=True):
            if a.predicate not in PUBLISHED:
                assert (a.id, a.sentence, a.flags) == (b.id, b.sentence, b.flags)
                assert numbers(a) == numbers(b)


def test_heads_in_another_order_change_no_finding(plain) -> None:
    permuted = attention_tables(with_heads_in_another_order)
    entropy = pl.col("metric") == "entropy"
    by_head = [t["metrics"].filter(entropy)["mean"].to_list() for t in (plain, permuted)]
    assert by_head[0] != by_head[1]
    for a, b in zip(
        judged(plain, USED).findings, judged(permuted, USED).findings, strict=True
    ):  # fmt: skip
        assert (a.id, a.flags, numbers(a)) == (b.id, b.flags, numbers(b))
        if a.predicate != "stability":  # it tells of the null, whose rotations are drawn by head
            assert a.sentence == b.sentence


def test_an_order_of_heads_in_each_seed_changes_no_matched_score(plain) -> None:
    permuted = attention_tables(with_heads_in_an_order_of_its_own)
    at = (pl.col("measure") == "matched_cosine") & (pl.col("checkpoint") == "best")
    scores = ["level", "layer", "seed_a", "seed_b", "value", "lo95", "hi95", "above_null"]
    of_pairs = at & pl.col("level").is_in(["layer", "pair"])
    same(*(t["similarity"].filter(of_pairs).select(scores) for t in (plain, permuted)))
    # Each head has the partner and the likeness that it had, under another name.
    of_heads = [
        t["similarity"].filter(at & (pl.col("level") == "head")).sort("layer", "seed_b", "value")
        for t in (plain, permuted)
    ]
    np.testing.assert_allclose(of_heads[0]["value"], of_heads[1]["value"], rtol=1e-9)
    assert of_heads[0]["target"].to_list() != of_heads[1]["target"].to_list()
    by_index = pl.col("measure") == "indexed_cosine"
    indexed = [t["similarity"].filter(by_index)["value"].to_numpy() for t in (plain, permuted)]
    assert not np.allclose(*indexed)
    one, other = (finding(judged(t, USED), "stability") for t in (plain, permuted))
    assert numbers(one) == numbers(other)
    assert [finding(judged(t, USED), "verdict").diagnosis for t in (plain, permuted)] == [
        "CONTENT-BENEFICIAL"
    ] * 2


def test_uniform_weights_read_uniform_and_turn_sharp_into_idle(plain) -> None:
    flat = attention_tables(uniform)
    of_final = flat["metric_values"].filter(
        (pl.col("checkpoint") == "best") & pl.col("item").is_null()
    )
    n = (KEYS - QUERIES + 1 + KEYS) / 2  # mean support of the rows
    for metric, value in {
        "entropy_normalized": 1.0, "kl_uniform": 0.0, "effective_keys_n1": n,
        "effective_keys_n2": n, "row_std_normalized": 0.0, "gini": 0.0, "top_excess_2": 0.0,
        "recent_excess_2": 0.0, "peak_resolved_share": 0.0,
    }.items():  # fmt: skip
        found = of_final.filter(pl.col("metric") == metric)["value"].to_numpy()
        assert len(found) == len(SEEDS) * LAYERS * HEADS
        np.testing.assert_allclose(found, value, atol=2e-6, err_msg=metric)
    diagnosis = judged(flat, UNUSED)
    assert finding(diagnosis, "sharpness").status == "NO"
    assert finding(diagnosis, "verdict").diagnosis == "IDLE-UNIFORM"
    assert finding(judged(plain, UNUSED), "sharpness").status == "YES"
