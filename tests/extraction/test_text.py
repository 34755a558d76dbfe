"""A tiny language model reads texts: its tables against its own eager attention."""

from itertools import product
from statistics import multimode

import numpy as np
import polars as pl
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import log_softmax
from scipy.stats import entropy
from tests.text.tiny_model import save_tiny_llama

from attnpipe.extraction.text.run import capture_texts
from attnpipe.io.seal import write_seal
from attnpipe.io.weights import open_text_weights, write_text_weights
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.measurement.text.run import measure_texts
from attnpipe.pretrained.load import load_model
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.schema.text import PromptsData
from attnpipe.text.reading import model_texts
from attnpipe.text.study import study_texts
from attnpipe.text.tokens import load_tokenizer

SINK = 4
"""Key of the first text that is said to be a sink of layer 1, though nobody declared it."""
OPTIONS = TextSpec(head_metrics=["entropy", "max_weight"])
PROMPTS = PromptsData(
    kind="prompts", name="prompts", questions=3, shots=[0, 1], keywords=["plus", "nowhere"]
)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Texts, what was captured, and eager attention in float64 of every text."""
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnpipe.text.arithmetic.POOL", 100)
        study = study_texts(PROMPTS, {"m": folder}, {"m": None})
    tokenizer = load_tokenizer(folder)
    texts = model_texts("m", study.texts, study.spans, tokenizer)

    def load(checkpoint):
        return load_model(
            folder, "causal_lm", untrained_seed=None if checkpoint == "pretrained" else 5
        )

    told = []
    captured = capture_texts(
        load, "m", "causal_lm", texts, tokenizer, MetricsSpec(top_k=[2], recent_k=[2]), OPTIONS,
        untrained=True, progress=lambda *of: told.append(of),
    )  # fmt: skip
    ends = {doing: (done, of) for doing, done, of in told}
    phases = ["reading with random weights", "reading", "answering"]
    assert ends == dict.fromkeys(phases, (len(texts), len(texts)))
    assert len(told) > len(phases)  # batch by batch
    exact = load_model(folder, "causal_lm", "float64")
    exact.set_attn_implementation("eager")
    eager = {}
    for text in texts:
        with torch.inference_mode():
            out = exact(torch.from_numpy(text.tokens.ids)[None], output_attentions=True)
        weights = torch.stack(out.attentions)[:, 0].numpy()
        eager[text.item] = (weights, out.logits[0].numpy())
    return folder, texts, captured, eager


@pytest.fixture(scope="module")
def measured(read, tmp_path_factory):
    _, texts, captured, _ = read
    path = tmp_path_factory.mktemp("stored") / "attention.safetensors"
    write_text_weights(path, captured.arrays, captured.checkpoints)
    write_seal("job", "job", "{}", [path])
    with open_text_weights(path) as weights:
        assert weights.items("last", "pretrained") == [t.item for t in texts]
        places = {("pretrained", texts[0].item): np.array([[1, SINK]])}
        return measure_texts(weights, "m", texts, ["special", "first"], FoundSinks(places))


def values(frame, **keys):
    for name, value in keys.items():
        frame = frame.filter(pl.col(name).is_null() if value is None else pl.col(name) == value)
    return frame


def test_stored_rows_are_those_of_eager_attention(read):
    _, texts, captured, eager = read
    for text in texts:
        weights = eager[text.item][0]
        np.testing.assert_allclose(
            captured.arrays[f"pretrained/last/{text.item}"], weights[:, :, -1], atol=1e-5
        )
    whole = [t for t in texts if t.question == 0]
    assert len([n for n in captured.arrays if n.startswith("pretrained/full/")]) == len(whole)
    for text in whole:
        stored = captured.arrays[f"pretrained/full/{text.item}"]
        np.testing.assert_allclose(stored, eager[text.item][0], atol=1e-5)


@pytest.mark.parametrize("rows", ["last", "all"])
def test_metrics_are_those_of_eager_rows(read, rows):
    _, texts, captured, eager = read
    for text in texts:
        weights = eager[text.item][0]
        per_row = entropy(weights, axis=-1)
        wanted = per_row[:, :, -1] if rows == "last" else per_row.mean(axis=-1)
        found = values(
            captured.metrics, checkpoint="pretrained", item=text.item, rows=rows,
            metric="entropy", condition=None,
        ).sort("layer", "head")  # fmt: skip
        np.testing.assert_allclose(found["value"], wanted.ravel(), atol=1e-5)
    of_layers = values(
        captured.metrics, checkpoint="pretrained", item=texts[0].item, rows=rows,
        metric="effective_keys_n1", condition=None,
    ).sort("layer")  # fmt: skip
    assert of_layers["head"].to_list() == [None, None]
    keys = np.exp(entropy(eager[texts[0].item][0], axis=-1))
    keys = keys[:, :, -1] if rows == "last" else keys.mean(axis=-1)
    np.testing.assert_allclose(of_layers["value"], keys.mean(axis=-1), rtol=1e-5)


def test_head_scores_incoming_and_sinks(read):
    _, texts, captured, eager = read
    text = texts[0]
    weights = eager[text.item][0]
    length = weights.shape[-1]
    at = {"checkpoint": "pretrained", "item": text.item, "rows": "all", "condition": None}
    previous = values(captured.metrics, metric="previous_token", **at).sort("layer", "head")
    lower = np.arange(1, length)
    wanted = weights[:, :, lower, lower - 1].mean(axis=-1)
    np.testing.assert_allclose(previous["value"], wanted.ravel(), atol=1e-5)
    np.testing.assert_allclose(previous["chance"], np.mean(1 / (lower + 1)), rtol=1e-9)
    incoming = values(captured.metrics, metric="incoming_mass", layer=0, head=None, **at)
    received = weights[0].mean(axis=0).sum(axis=0)
    np.testing.assert_allclose(incoming.sort("target")["value"], received, atol=1e-4)
    sinks = values(captured.metrics, metric="sink_mass", **at).sort("layer", "head")
    np.testing.assert_allclose(sinks["value"], weights[..., 0].mean(axis=-1).ravel(), atol=1e-5)
    valid = values(captured.metrics, metric="rows_valid", **at)
    assert set(valid["value"]) == {float(length)}


def test_removing_sinks_renormalises_what_is_left(read):
    _, texts, captured, eager = read
    text = texts[0]
    last = eager[text.item][0][:, :, -1, 1:]  # the first token is BOS
    wanted = (last / last.sum(axis=-1, keepdims=True)).max(axis=-1)
    found = values(
        captured.metrics, checkpoint="pretrained", item=text.item, rows="last",
        metric="max_weight", condition="sinks_removed",
    ).sort("layer", "head")  # fmt: skip
    np.testing.assert_allclose(found["value"], wanted.ravel(), atol=1e-5)


def test_row_metrics_of_last_rows_are_also_given_off_the_sinks_that_the_weights_show(read):
    """Of each layer and text off its own; in these texts the weights show none but the first."""
    metrics = read[2].metrics
    assert set(metrics.filter(metric="data_sink_mass")["target"]) <= {0}
    last = metrics.filter(rows="last", condition="sinks_removed")
    keys = ["checkpoint", "layer", "head", "item", "metric"]
    both = last.join(
        metrics.filter(rows="last", condition="found_sinks_removed"), on=keys, nulls_equal=True
    )
    assert len(both) == len(last)
    ours, theirs = (both[c].fill_null(np.nan).to_numpy() for c in ("value", "value_right"))
    np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-4)
    assert metrics.filter(rows="all", condition="found_sinks_removed").is_empty()


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
@pytest.mark.parametrize("rows", ["last", "all"])
def test_peaks_are_those_of_eager_rows(read, condition, rows):
    """By loops; a row without a choice counts for nothing."""
    _, texts, captured, eager = read
    text = texts[1]
    first = 1 if condition else 0
    at = {"checkpoint": "pretrained", "item": text.item, "rows": rows, "condition": condition}
    for layer, head in product(range(2), range(4)):
        able, lags = 0, []
        queries = eager[text.item][0][layer, head]
        for q in range(len(queries)) if rows == "all" else [len(queries) - 1]:
            row = queries[q, first : q + 1]
            if len(row) < 2:
                continue
            able += 1
            largest, second = sorted(row / row.sum(), reverse=True)[:2]
            if largest - second > MetricsSpec().peak_tolerance:
                lags.append(q - first - int(row.argmax()))
        found = {
            name: values(captured.metrics, metric=f"peak_{name}", layer=layer, head=head, **at)
            for name in ("resolved_share", "lag_mode", "lag_median", "lag_iqr")
        }
        share = found.pop("resolved_share").row(0, named=True)
        assert (share["value"], share["n_rows"]) == (len(lags) / able, able)
        if rows == "last":
            assert all(frame.is_empty() for frame in found.values())
            continue
        low, median, high = np.quantile(lags, [0.25, 0.5, 0.75])
        got = {name: frame["value"].item() for name, frame in found.items()}
        assert got["lag_mode"] == min(multimode(lags))
        assert (got["lag_median"], got["lag_iqr"]) == pytest.approx((median, high - low))
        assert found["lag_mode"]["n_rows"].item() == len(lags)
        assert found["lag_mode"]["n_excluded"].item() == able - len(lags)


def off_sinks(weights):
    """[layer, head, query, key] of the rows that see more than the first token, without it."""
    rest = weights[:, :, 1:, 1:]
    return rest / rest.sum(axis=-1, keepdims=True)


def generalised_jsd(rows):
    """H(mean row) − mean H."""
    return entropy(rows.mean(axis=0)) - entropy(rows, axis=-1).mean()


def test_what_keys_and_lags_get_is_also_given_off_the_sinks(read):
    _, texts, captured, eager = read
    text = texts[0]
    weights = off_sinks(eager[text.item][0])
    rows = weights.shape[2]
    at = {"checkpoint": "pretrained", "item": text.item, "rows": "all",
          "condition": "sinks_removed", "layer": 1}  # fmt: skip
    for head in (None, 2):
        own = weights[1].mean(axis=0) if head is None else weights[1, head]
        mass = values(captured.metrics, metric="incoming_mass", head=head, **at).sort("target")
        assert mass["target"].to_list() == list(range(1, rows + 1))
        np.testing.assert_allclose(mass["value"], own.sum(axis=0), atol=1e-4)
        exposure = np.array([sum(1 / (q + 1) for q in range(k, rows)) for k in range(rows)])
        ratio = values(captured.metrics, metric="incoming_ratio", head=head, **at).sort("target")
        np.testing.assert_allclose(ratio["value"], own.sum(axis=0) / exposure, rtol=1e-4)
        lags = values(captured.metrics, metric="lag_profile", head=head, **at).sort("target")
        wanted = [np.diagonal(own, -lag).sum() / rows for lag in range(rows)]
        np.testing.assert_allclose(lags["value"], wanted, atol=1e-5)


def test_distances_and_variation_are_also_given_off_the_sinks(read):
    _, texts, captured, eager = read
    for text in texts[:3]:
        weights = off_sinks(eager[text.item][0])
        at = {"checkpoint": "pretrained", "item": text.item, "rows": "all",
              "condition": "sinks_removed", "layer": 0}  # fmt: skip
        far = values(captured.metrics, metric="head_distance", head=1, target=3, **at)
        wanted = [
            jensenshannon(p, q, base=2) for p, q in zip(weights[0, 1], weights[0, 3], strict=True)
        ]
        assert far["value"].item() == pytest.approx(np.mean(wanted), abs=1e-4)
        length = weights.shape[2] + 1
        half = -(-length // 2)
        own = weights[0, 1]
        prefix = own[half - 2 :, : half - 1]  # rows that see the first half, sink apart
        prefix = prefix / prefix.sum(axis=-1, keepdims=True)
        found = values(captured.metrics, metric="query_variation", head=1, **at)
        assert found["value"].item() == pytest.approx(generalised_jsd(prefix), abs=1e-4)
        turned = np.stack([np.pad(row[: q + 1][::-1], (0, len(own) - q - 1))
                           for q, row in enumerate(own)])  # fmt: skip
        found = values(captured.metrics, metric="lag_variation", head=1, **at)
        assert found["value"].item() == pytest.approx(generalised_jsd(turned), abs=1e-4)


def test_every_metric_of_rows_and_heads_comes_with_and_without_sinks(read):
    """Apart from counts of rows and the mass on sinks itself, which are about all keys."""
    metrics = read[2].metrics
    with_sinks = set(metrics.filter(pl.col("condition").is_null())["metric"])
    without = set(metrics.filter(pl.col("condition") == "sinks_removed")["metric"])
    assert with_sinks - without <= {"rows_valid", "sink_mass", "data_sink_mass"}


def test_the_untrained_model_reads_the_same_texts(read):
    _, texts, captured, _ = read
    assert captured.checkpoints == ["untrained", "pretrained"]
    for name in ("untrained", "pretrained"):
        assert set(values(captured.metrics, checkpoint=name)["item"]) == {t.item for t in texts}
    sharp = values(captured.metrics, metric="entropy", rows="last", condition=None)
    means = dict(sharp.group_by("checkpoint").agg(pl.col("value").mean()).iter_rows())
    assert means["untrained"] > means["pretrained"]


def test_answers_and_losses(read):
    folder, texts, captured, eager = read
    table = captured.answers
    assert table["item"].to_list() == [t.item for t in texts]
    tokenizer = load_tokenizer(folder)
    read_first = 0
    for text, row in zip(texts, table.iter_rows(named=True), strict=True):
        log_p = log_softmax(eager[text.item][1], axis=-1)
        nll = -log_p[np.arange(len(log_p) - 1), text.tokens.ids[1:]]
        assert row["loss"] == pytest.approx(nll.mean(), rel=1e-4)
        assert row["correct"] == (row["given"] == row["answer"])
        logits = eager[text.item][1][-1].copy()
        logits[2] = -np.inf  # it may not end at once
        first = tokenizer.decode([int(logits.argmax())])
        if "�" not in first and row["generated"]:  # no part of a character
            assert row["generated"].startswith(first)
            read_first += 1
        assert row["answer_loss"] > 0
    assert read_first


def test_segments_are_sums_over_the_tokens_of_a_span(read, measured):
    _, texts, _, eager = read
    found = values(measured.segments, checkpoint="pretrained", condition=None)
    for text in texts[:4]:
        last = eager[text.item][0][:, :, -1]
        for span in text.tokens.spans:
            rows = (
                values(found, item=text.item, span=span.span.name, occurrence=span.span.occurrence)
                .filter(pl.col("layer").is_not_null())
                .sort("layer", "head")
            )
            mass = last[..., span.tokens].sum(axis=-1).ravel()
            np.testing.assert_allclose(rows["mass"], mass, atol=1e-5)
            n = len(span.tokens)
            np.testing.assert_allclose(rows["mass_per_token"], mass / n, atol=1e-5)
            relative = mass / (n / last.shape[-1])
            np.testing.assert_allclose(rows["mass_relative"], relative, atol=1e-4)
    missed = values(found, span="keyword: nowhere", item=texts[0].item, layer=0)
    assert missed["n_matches"].unique().to_list() == [0]
    assert missed["mass"].to_list() == [0.0] * 4
    assert missed["mass_relative"].null_count() == 4


def test_spans_are_also_given_off_the_sinks_that_the_weights_show(read, measured):
    """Means over heads; the declared sink is the first token, that of layer 1 another one."""
    _, texts, _, eager = read
    found = values(measured.segments, checkpoint="pretrained", condition="found_sinks_removed")
    assert found["head"].null_count() == len(found)
    inside = []
    for text in texts[:2]:
        last = eager[text.item][0][:, :, -1]
        for layer, span in product(range(2), text.tokens.spans):
            sinks = {0, SINK} if (text.item, layer) == (texts[0].item, 1) else {0}
            inside.append(SINK in sinks and SINK in span.tokens)
            kept = [k for k in range(last.shape[-1]) if k not in sinks]
            own = [k for k in span.tokens.tolist() if k in kept]
            mass = np.mean([row[own].sum() / row[kept].sum() for row in last[layer]])
            row = values(
                found, item=text.item, layer=layer, span=span.span.name,
                occurrence=span.span.occurrence,
            ).row(0, named=True)  # fmt: skip
            assert row["mass"] == pytest.approx(mass, abs=1e-5)
            assert row["mass_per_token"] == pytest.approx(mass / len(span.tokens), abs=1e-5)
            if own:
                relative = mass / (len(own) / len(kept))
                assert row["mass_relative"] == pytest.approx(relative, abs=1e-4)
            else:
                assert row["mass_relative"] is None
    assert any(inside)


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
def test_all_rows_attend_to_spans_as_far_as_they_can_see_them(read, condition):
    _, texts, captured, eager = read
    found = values(captured.segments, checkpoint="pretrained", condition=condition)
    assert found["head"].null_count() == found.height
    for text in texts:
        weights = eager[text.item][0]
        length = weights.shape[-1]
        seen = np.tril(np.ones((length, length)))
        if condition:
            seen[:, text.tokens.special] = seen[:, 0] = 0
            weights = weights * seen
            weights = weights[:, :, 1:] / weights[:, :, 1:].sum(axis=-1, keepdims=True)
            seen = seen[1:]
        uniform = seen / seen.sum(axis=-1, keepdims=True)
        names = {span.span.name for span in text.tokens.spans}
        own = values(found, item=text.item)
        assert set(own["span"]) == names | set(text.missed)
        for name in names:
            places = [s.tokens for s in text.tokens.spans if s.span.name == name]
            union = np.unique(np.concatenate(places))
            per_head = weights[..., union].sum(axis=-1).mean(axis=-1)
            chance = uniform[:, union].sum(axis=-1).mean()
            rows = values(own, span=name, occurrence=None).sort("layer")
            assert rows["n_matches"].to_list() == [len(places)] * 2
            assert rows["n_tokens"].to_list() == [len(union)] * 2
            np.testing.assert_allclose(rows["mass"], per_head.mean(axis=-1), atol=1e-5)
            relative = (per_head / chance).mean(axis=-1)
            np.testing.assert_allclose(rows["mass_relative"], relative, rtol=1e-4)
            single = values(own, span=name).filter(pl.col("occurrence").is_not_null())
            assert single.height == 2 * len(places)
        for name in text.missed:
            row = values(own, span=name, layer=0)
            assert (row["n_matches"].item(), row["mass"].item()) == (0, 0.0)
            assert row["mass_relative"].item() is None


def test_every_occurrence_is_a_row_beside_their_sum(read, measured):
    _, texts, _, _ = read
    text = next(t for t in texts if t.variant == "1_shot")
    found = values(
        measured.segments, checkpoint="pretrained", condition=None, item=text.item,
        span="keyword: plus", layer=1, head=2,
    )  # fmt: skip
    single = found.filter(pl.col("occurrence").is_not_null())
    together = found.filter(pl.col("occurrence").is_null())
    assert single["n_matches"].to_list() == [2, 2]
    assert together["mass"].item() == pytest.approx(single["mass"].sum(), rel=1e-6)


def test_documents_own_rules_stand_beside(read, measured):
    _, texts, _, eager = read
    text = texts[0]
    weights = eager[text.item][0][:, :, -1].copy()
    mean = weights.mean(axis=1) + 1e-10
    wanted = -(mean * np.log(mean)).sum(axis=-1)
    found = values(
        measured.metrics, checkpoint="pretrained", item=text.item, metric="published_layer_entropy"
    ).sort("layer")
    np.testing.assert_allclose(found["value"], wanted, atol=1e-4)
    at = {"checkpoint": "pretrained", "item": text.item, "metric": "focus_position"}
    focus = values(measured.metrics, condition=None, **at).sort("layer", "head")
    assert focus["value"].to_list() == weights.argmax(axis=-1).ravel().tolist()
    off = values(measured.metrics, condition="sinks_removed", **at).sort("layer", "head")
    assert off["value"].to_list() == (1 + weights[..., 1:].argmax(axis=-1)).ravel().tolist()
    found = values(measured.metrics, condition="found_sinks_removed", **at).sort("layer", "head")
    weights[..., 0] = weights[1, :, SINK] = -1
    assert found["value"].to_list() == weights.argmax(axis=-1).ravel().tolist()
    weights = eager[text.item][0][:, :, -1]
    pieces = [text.tokens.text[a:b] for a, b in text.tokens.offsets.tolist()]
    entries = {p: w for p, w in zip(pieces, weights[-1].mean(axis=0), strict=True) if "plus" in p}
    row = values(
        measured.segments, checkpoint="pretrained", item=text.item, span="keyword: plus", layer=None
    )
    assert row["as_published"].item() == pytest.approx(sum(entries.values()), abs=1e-5)


def test_document_3s_sum_over_the_answers_of_examples_stands_beside(read, measured):
    _, texts, _, eager = read
    text = next(t for t in texts if t.variant == "1_shot")
    (span,) = (s.span for s in text.tokens.spans if s.span.name == "shot_1_answer")
    answer = text.tokens.text[span.start : span.end]
    assert answer.isdigit()
    pieces = [text.tokens.text[a:b] for a, b in text.tokens.offsets.tolist()]
    weights = eager[text.item][0][-1, :, -1].mean(axis=0)
    entries = {p: w for p, w in zip(pieces, weights, strict=True) if answer in p}
    row = values(
        measured.segments, checkpoint="pretrained", item=text.item, span="examples_answers",
        layer=None,
    )  # fmt: skip
    assert row["as_published"].item() == pytest.approx(sum(entries.values()), abs=1e-5)
    assert row["n_matches"].item() == len(entries)
