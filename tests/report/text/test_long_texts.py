"""Texts over the dense limit, from the model to figures and report: left out by name."""

from dataclasses import dataclass

import polars as pl
import pytest
from tests.text.tiny_model import save_tiny_llama

from attnpipe.aggregation.text.model import aggregate_text
from attnpipe.aggregation.text.run import TextRun
from attnpipe.core.outcome import Outcome
from attnpipe.diagnosis.context import DiagnosisContext, TextContext
from attnpipe.diagnosis.run import diagnose
from attnpipe.extraction.text.run import capture_texts
from attnpipe.figures.context import FigureContext
from attnpipe.figures.registry import FIGURES, NEEDS, TEXTS
from attnpipe.io.seal import write_seal
from attnpipe.io.weights import open_text_weights, write_text_weights
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.measurement.text.run import measure_texts
from attnpipe.pretrained.load import load_model
from attnpipe.report.run import render
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.schema.figure import FigureOptions, StyleSpec
from attnpipe.schema.text import PromptsData
from attnpipe.tables.text import TEXT_TABLES
from attnpipe.text.reading import model_texts
from attnpipe.text.study import study_texts
from attnpipe.text.tokens import load_tokenizer

VARIANTS = {"plain": {}, "cot": {"instruction": "Let's think step by step, one by one."}}
METRICS = MetricsSpec(top_k=[2], recent_k=[2])


@dataclass
class Finished:
    tables: dict[str, pl.DataFrame]
    html: str
    lengths: dict[str, int]


def figure_text(figure):
    return " ".join(
        t.get_text() for t in [*figure.texts, *(t for ax in figure.axes for t in ax.texts)]
    )


def run_study(folder, dense_limit):
    """Read two variants of three questions with a tiny model, up to the report."""
    save_tiny_llama(folder)
    data = PromptsData.model_validate(
        {"kind": "prompts", "name": "prompts", "questions": 3, "shots": [0], "variants": VARIANTS}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnpipe.text.arithmetic.POOL", 100)
        study = study_texts(data, {"m": folder}, {"m": None})
    tokenizer = load_tokenizer(folder)
    texts = model_texts("m", study.texts, study.spans, tokenizer)
    options = TextSpec(dense_limit=dense_limit, clusters=2)
    captured = capture_texts(
        lambda _: load_model(folder, "causal_lm"), "m", "causal_lm", texts, tokenizer, METRICS,
        options,
    )  # fmt: skip
    path = folder / "attention.safetensors"
    write_text_weights(path, captured.arrays, captured.checkpoints)
    write_seal("job", "job", "{}", [path])
    with open_text_weights(path) as weights:
        found_sinks = FoundSinks.of(captured.metrics.lazy())
        measured = measure_texts(weights, "m", texts, options.sinks, found_sinks)
        metrics = pl.concat([captured.metrics, measured.metrics]).lazy()
        segments = measured.segments.lazy()
        run = TextRun(captured.tokens, captured.answers, metrics, segments, weights)
        made = aggregate_text(
            "m", run, study.texts, study.spans, options, METRICS, Outcome("ok", parameters=1)
        )
    tables = {name: getattr(made, name) for name in TEXT_TABLES}
    context = DiagnosisContext(
        title="t", labels={"m": "M"}, attention_models=("m",), baselines={"m": None}, seeds=(0,),
        forecasts=False, texts=TextContext("prompts", 3, tuple(VARIANTS)),
    )  # fmt: skip
    provenance = {
        "config": {"analysis": {"text": {"representative_question": 0}}},
        "data": {"texts": {"kind": "prompts", "source": {"seed": 0}}},
    }
    report = render(diagnose(tables, context), tables, {}, provenance, study.texts)
    lengths = {t.variant: len(t.tokens.ids) for t in texts if t.question == 0}
    return Finished(tables, report.html, lengths)


def drawn(finished, name):
    context = FigureContext(
        style=StyleSpec(), labels={"m": "M"}, attention_models=("m",), baselines={"m": None},
        seeds=(0,), representative_seed=0, window=0,
    )  # fmt: skip
    needed = {table: finished.tables[table] for table in NEEDS[name]}
    return FIGURES.load(name)(needed, context, FigureOptions())


@pytest.fixture(scope="module")
def none_fits(tmp_path_factory):
    return run_study(tmp_path_factory.mktemp("none"), dense_limit=5)


@pytest.fixture(scope="module")
def one_fits(tmp_path_factory):
    plain = run_study(tmp_path_factory.mktemp("all"), dense_limit=1024)
    assert plain.tables["answers"]["over_limit"].null_count() == plain.tables["answers"].height
    assert set(plain.tables["maps"]["variant"]) == {"plain", "cot"}
    limit = plain.lengths["plain"]
    assert limit < plain.lengths["cot"]
    return run_study(tmp_path_factory.mktemp("one"), dense_limit=limit)


def test_tables_say_which_texts_are_too_long_and_of_which_limit(none_fits, one_fits):
    answers = none_fits.tables["answers"]
    assert set(answers["over_limit"]) == {5}
    assert none_fits.tables["maps"].is_empty()
    assert none_fits.tables["head_distances"].is_empty()
    heads = none_fits.tables["heads"]
    assert heads["cluster"].null_count() == heads.height
    assert heads["entropy"].null_count() == 0
    over = one_fits.tables["answers"].filter(pl.col("over_limit").is_not_null())
    assert set(over["variant"]) == {"cot"}
    assert set(one_fits.tables["maps"]["variant"]) == {"plain"}
    assert set(one_fits.tables["head_distances"]["n"]) == {1}


def test_the_report_names_texts_length_limit_and_key(none_fits, one_fits):
    for finished, variants in ((none_fits, ("plain", "cot")), (one_fits, ("cot",))):
        limit = finished.tables["answers"]["over_limit"].drop_nulls()[0]
        named = ", ".join(f"{v} ({finished.lengths[v]} tokens)" for v in variants)
        said = f"position means (E3): {named}, more than analysis.text.dense_limit {limit}"
        assert said in finished.html
        for variant in variants:
            start = finished.html.index(f'id="prompt-m-{variant}"')
            part = finished.html[start : finished.html.index("</article>", start)]
            assert f"{finished.lengths[variant]} tokens, more than analysis.text" in part


@pytest.mark.parametrize("name", ["prompt_maps", "head_similarity"])
def test_figures_without_any_text_are_named_gaps(none_fits, name):
    said = figure_text(drawn(none_fits, name)).replace("\n", " ")
    assert "more than analysis.text.dense_limit 5" in said


def test_a_text_that_is_too_long_has_a_named_empty_panel(one_fits):
    figure = drawn(one_fits, "prompt_maps")
    (gap,) = [ax for ax in figure.axes if ax.get_title("left") == "cot"]
    assert not gap.images
    said = " ".join(t.get_text() for t in gap.texts).replace("\n", " ")
    limit = one_fits.lengths["plain"]
    assert f"{one_fits.lengths['cot']} tokens, more than analysis.text.dense_limit {limit}" in said
    (shown,) = [ax for ax in figure.axes if ax.get_title("left").startswith("plain (")]
    assert shown.images


def test_distances_name_the_texts_they_are_without(one_fits):
    said = figure_text(drawn(one_fits, "head_similarity"))
    assert f"Cot left out: {one_fits.lengths['cot']} tokens" in said


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_other_figure_is_drawn(none_fits, name):
    assert drawn(none_fits, name).axes
