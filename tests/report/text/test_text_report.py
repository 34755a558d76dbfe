"""The report of a study of texts shows prompts, tokens and answers, and never runs them."""

import re
from types import ModuleType

import polars as pl
import pytest
from tests.report.page import Page

from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Diagnosis
from attnpipe.diagnosis.text.readable import visible
from attnpipe.report.listing import MOST_ROWS
from attnpipe.report.markdown import escape
from attnpipe.report.run import Report, render
from attnpipe.tables import text as schema

HOSTILE = "</pre></title><script>alert(1)</script><img src=x onerror=alert(2)>|`**\"'&```"
BIDI = "a\u202eb\u0000c"
MODEL = "tiny_chat"


def reported(
    factory: ModuleType, plan: object, *, texts: bool = True, **changes: pl.DataFrame | None
) -> tuple[Diagnosis, Report]:
    tables = {n: t for n, t in (factory.study(plan) | changes).items() if t is not None}
    diagnosis = diagnose(tables, factory.diagnosis_context(plan))
    provenance = {
        "config": {
            "analysis": {"text": {"representative_question": 0}, "contrast": {"delta": 0.03}}
        },
        "data": {"texts": {"kind": plan.kind, "source": {"seed": 3}}},
    }
    return diagnosis, render(
        diagnosis, tables, {}, provenance, factory.texts(plan) if texts else None
    )


@pytest.fixture(scope="module")
def usual(factory: ModuleType) -> tuple[Diagnosis, Report]:
    return reported(factory, factory.Plan())


def words(html: str) -> str:
    return " ".join(" ".join(Page(html).text).split())


def prompt_of(html: str, variant: str) -> str:
    start = html.index(f'<article class="prompt" id="prompt-{MODEL}-{variant}">')
    return html[start : html.index("</article>", start)]


def table_of(part: str, name: str) -> list[list[str]]:
    """Return the cells of one table of a prompt, its header first."""
    part = part[part.index(f"<summary>{name} (") :]
    body = part[part.index("<table>") : part.index("</table>")]
    return [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", body)
    ]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kind": "sentences"},
        {"questions": 2, "accuracies": {"plain": 1}},
        {"untrained": False, "accuracies": {}},
        {"models": (MODEL, "second"), "labels": {"second": "Second"}},
        {"ended": False},
        {"reasons": {"off_support": 1.0}},
    ],
)
def test_every_kind_of_study_is_reported(factory: ModuleType, options: dict[str, object]) -> None:
    diagnosis, report = reported(factory, factory.Plan(**options))
    page = Page(report.html)
    assert (page.ill_nested, page.open) == ([], [])
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert {h[1:] for h in page.all("href") if h.startswith("#")} <= set(ids)
    text = words(report.html)
    assert "None" not in text
    assert "nan" not in text.split()
    for finding in diagnosis.findings:
        assert " ".join(finding.sentence.split()) in text
        assert escape(finding.sentence) in report.markdown


def test_a_study_without_tables_is_reported(factory: ModuleType) -> None:
    diagnosis = diagnose({}, factory.diagnosis_context(factory.Plan()))
    report = render(diagnosis, {}, {}, {})
    assert "There are no tables." in report.html
    assert "There are no tables." in report.markdown
    assert "Prompts" not in report.markdown


def test_overview_shows_what_decides_about_texts(usual: tuple[Diagnosis, Report]) -> None:
    html = usual[1].html
    head = re.findall(r'<th scope="col">(.*?)</th>', html[: html.index("</thead>")])
    assert head == [
        "Model", "Accuracy", "Entropy of the last row", "Sink mass", "Think step by step",
        "Examples draw attention", "Rows valid", "Verdict",
    ]  # fmt: skip
    row = words(html[html.index("<tbody>") : html.index("</tbody>")])
    assert row == (
        "tiny chat 0.125 to 0.625 over variants 0.550 to 0.580 of ln n, over variants 0.450 over "
        "variants yes −0.050 [−0.060, −0.040] yes +0.800 [0.600, 1.000] yes all of 10 000 "
        "inconclusive"
    )
    assert (
        "| tiny chat | 0.125 to 0.625 (over variants) | 0.550 to 0.580 (of ln n, over variants) |"
        in usual[1].markdown.replace("\\", "")
    )


def test_sentences_have_no_columns_about_prompts(factory: ModuleType) -> None:
    _, report = reported(factory, factory.Plan(kind="sentences"))
    head = re.findall(r'<th scope="col">(.*?)</th>', report.html[: report.html.index("</thead>")])
    assert head == ["Model", "Entropy of the last row", "Sink mass", "Rows valid", "Verdict"]
    assert "n: 32 sentences." in words(report.html)
    assert "What answers lose" not in words(report.html)
    assert "tiny chat: sentence 0" in words(report.html)
    assert '<span class="chip YES">right' not in report.html


def test_remarks_count_questions_not_seeds(usual: tuple[Diagnosis, Report]) -> None:
    for text in (words(usual[1].html), usual[1].markdown):
        assert "95 % intervals over questions" in text
        assert "n: 32 questions, on which variants of the prompt are paired" in text
        assert "mass matter beyond 0.01" in text
        assert (
            "What answers lose is in units of what the question tells of its answer; it matters "
            "beyond δ = 0.03."
        ) in text
        assert "Seeds" not in text
        assert "nahezu uniform" not in text
    for form in (usual[1].html, usual[1].markdown):
        assert re.search(r"Unit(</th><th scope=\"col\">| \| )n(</th></tr>| \|)", form)


def test_interventions_are_missing_and_no_arms(factory: ModuleType) -> None:
    diagnosis, report = reported(factory, factory.Plan(replaced={}))
    (found,) = [f for f in diagnosis.findings if f.predicate == "verdict"]
    assert {line.partition(":")[0] for line in found.missing} == {"E2", "E3", "E4"}
    for text in (words(report.html), report.markdown):
        assert not re.search(r"Missing: [^.]*\?\.", text)


def test_interventions_that_were_made_are_not_missing(usual: tuple[Diagnosis, Report]) -> None:
    text = words(usual[1].html)
    assert "rows of other questions +0.600 [+0.500, +0.700] (E4, more than δ)" in text


def test_each_prompt_has_text_answer_tokens_and_shape(usual: tuple[Diagnosis, Report]) -> None:
    part = prompt_of(usual[1].html, "plain")
    assert "<pre>What is 15 plus 27?</pre>" in part
    assert "<pre> 42</pre>" in part
    assert '<span class="chip YES">right</span>' in part
    assert '<span class="chip NO">wrong</span>' in prompt_of(usual[1].html, "1_shot")
    text = words(part)
    assert "tokens: 6 · shape: 4 layers × 3 heads × 6 × 6 tokens" in text
    assert "right answer: 42 · given: 42" in text
    tokens = table_of(part, "Tokens")
    assert tokens[0][:2] == ["position", "token"]
    assert [row[1] for row in tokens[1:]] == ["&lt;bos&gt;", "What", "·is", "15", "·plus", "?"]
    assert [row[-1] for row in tokens[1:]] == ["0.1667"] * 6
    markdown = usual[1].markdown
    assert markdown.count("```text\nWhat is 15 plus 27?\n```") == 4
    assert "The model wrote (wrong):\n\n```text\n 42\n```" in markdown


def test_keywords_are_sorted_and_misses_are_named(usual: tuple[Diagnosis, Report]) -> None:
    rows = table_of(prompt_of(usual[1].html, "plain"), "Keywords")
    assert rows[0] == [
        "keyword", "matches", "mass", "lo95", "hi95", "n", "published", "published matches",
    ]  # fmt: skip
    assert [row[0] for row in rows[1:]] == ["{second}", "{first}", "plus", "step"]
    assert rows[1][2:4] == ["0.08", "0.079"]
    assert rows[3] == ["plus", "1", "0.02", "0.019", "0.021", "32", "0.06", "1"]
    assert rows[4][:3] == ["step", "no match", ""]
    cot = table_of(prompt_of(usual[1].html, "cot"), "Keywords")
    assert [row[0] for row in cot[1:]] == ["{second}", "{first}", "step", "plus"]


def test_the_answer_about_examples_has_an_interval(usual: tuple[Diagnosis, Report]) -> None:
    said = "less the 1 of uniform attention: +0.800 [+0.600, +1.000]"
    for text in (words(usual[1].html), usual[1].markdown.replace("\\", "")):
        assert said in text
        assert "(32 questions, mean over 1_shot, 2_shot)" in text


def test_segments_of_the_last_layer_are_sorted_by_mass(factory: ModuleType) -> None:
    plan = factory.Plan()
    summary = factory.segment_summary(plan)
    own = {"model": MODEL, "checkpoint": "pretrained", "variant": "plain", "n": 32}
    rows = [
        own | {"span": span, "layer": layer, "measure": measure, "n_tokens": float(tokens),
               "n_matches": 1.0, "mean": value, "lo95": value - 0.01, "hi95": value + 0.01}
        for span, tokens, mass in (("operator", 1, 0.4), ("operands", 4, 0.1), ("cue", 2, 0.35))
        for layer in (None, 2, 3)
        for measure, value in (
            ("mass", mass if layer == 3 else 0.9), ("mass_per_token", mass / tokens),
            ("mass_relative", 10 * mass / tokens),
        )
    ]  # fmt: skip
    off = [row | {"condition": "sinks_removed", "mean": 0.99} for row in rows]
    extra = schema.SEGMENT_SUMMARY.frame(rows + off)
    _, report = reported(factory, plan, segment_summary=pl.concat([summary, extra]))
    table = table_of(prompt_of(report.html, "plain"), "Segments")
    assert table[0] == [
        "segment", "tokens", "mass", "lo95", "hi95", "per token", "over uniform", "n",
    ]  # fmt: skip
    assert [row[0] for row in table[1:]] == ["operator", "cue", "question", "operands"]
    assert table[2] == ["cue", "2", "0.35", "0.34", "0.36", "0.175", "1.75", "32"]
    shown = report.html[report.html.index('<h3 id="table-segment_summary">') :]
    order = [shown.index(f">{span}<") for span in ("operator", "cue", "question", "operands")]
    assert order == sorted(order)


def test_most_focused_and_most_distributed_heads_are_listed(
    usual: tuple[Diagnosis, Report],
) -> None:
    part = prompt_of(usual[1].html, "cot")
    focused, spread = (table_of(part, f"Most {w} heads") for w in ("focused", "distributed"))
    assert [" ".join(row[:2]) for row in focused[1:]] == ["0 0", "0 1", "0 2", "1 0", "1 1"]
    assert [" ".join(row[:2]) for row in spread[1:]] == ["3 2", "3 1", "3 0", "2 2", "2 1"]
    assert "of 12 heads" in words(part)


def test_prompts_tokens_and_answers_are_only_text(factory: ModuleType) -> None:
    plan = factory.Plan(prompt=HOSTILE, token=HOSTILE, generated=HOSTILE, labels={MODEL: HOSTILE})
    _, report = reported(factory, plan)
    page = Page(report.html)
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert (page.ill_nested, page.open) == ([], [])
    assert "".join(page.text).count(HOSTILE) >= 3 * len(plan.variants)
    outside_code = re.sub(r"^(`{3,})\w+\n.*?^\1$", "", report.markdown, flags=re.S | re.M)
    assert "<" not in outside_code
    assert not re.search(r"(?<!\\)`", outside_code)
    for block in re.findall(r"(?:^\|.*\n)+", outside_code, re.MULTILINE):
        rows = block.strip().split("\n")
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    fences = re.findall(r"^(`{3,})text\n(.*?)\n\1$", report.markdown, re.S | re.M)
    assert [body for _, body in fences] == [HOSTILE] * 2 * len(plan.variants)


def test_hidden_characters_are_shown_by_their_code(factory: ModuleType) -> None:
    plan = factory.Plan(prompt=BIDI, token=BIDI, generated=BIDI)
    _, report = reported(factory, plan)
    for form in (report.html, report.markdown):
        assert "\u202e" not in form
        assert "\x00" not in form
        assert "u{202e}" in form or "u\\{202e\\}" in form


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b\n", "a b\n"), ("\tx", "\tx"), ("é ⏎ · 数", "é ⏎ · 数"), (None, ""),
        ("\u202e", "\\u{202e}"), ("\x1b[0m", "\\u{1b}[0m"), ("\ufeff", "\\u{feff}"),
    ],
)  # fmt: skip
def test_visible(text: str | None, shown: str) -> None:
    assert visible(text) == shown


def test_markdown_tables_have_as_many_cells_in_every_row(usual: tuple[Diagnosis, Report]) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", usual[1].markdown, re.MULTILINE)
    assert len(blocks) >= 20
    for block in blocks:
        rows = block.strip().split("\n")
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
        assert re.fullmatch(r"\|(?: -+:? \|)+", rows[1])


def test_without_texts_or_maps_the_rest_is_still_shown(factory: ModuleType) -> None:
    _, report = reported(factory, factory.Plan(), texts=False, maps=None, heads=None)
    part = prompt_of(report.html, "plain")
    assert "<pre>What" not in part
    columns = table_of(part, "Tokens")[0]
    assert columns == ["position", "token", "id", "characters", "special", "spans"]
    assert "shape" not in words(part)
    assert "Most focused" not in part


def test_big_tables_are_linked_not_inlined(factory: ModuleType) -> None:
    plan = factory.Plan(layers=30, heads=9, variants=("plain", "cot", "1_shot", "2_shot", "4_shot"))
    _, report = reported(factory, plan)
    assert len(report.html) < 3_000_000
    for name in ("heads", "head_distances", "maps", "tokens", "answers"):
        assert f'<h3 id="table-{name}">' not in report.html
        assert f'<a href="../aggregate/{name}.csv">aggregate/{name}.csv</a>' in report.html
        assert f"(../aggregate/{name}.csv)" in report.markdown


def test_long_prompts_are_cut_and_say_so(factory: ModuleType) -> None:
    plan = factory.Plan()
    one = factory.tokens(plan).filter(pl.col("item") == 0)
    long = pl.concat([one] * 50).with_columns(position=pl.int_range(pl.len()))
    _, report = reported(factory, plan, tokens=long)
    part = prompt_of(report.html, "plain")
    assert len(table_of(part, "Tokens")) == MOST_ROWS + 1
    assert f"{300 - MOST_ROWS} more rows are only there." in part
    assert f"<summary>Tokens ({300})" in part


def test_only_the_representative_question_is_shown(factory: ModuleType) -> None:
    plan = factory.Plan()
    answers = factory.answers(plan)
    other = answers.with_columns(question=pl.lit(1, pl.Int64), generated=pl.lit("elsewhere"))
    _, report = reported(factory, plan, answers=pl.concat([answers, other]))
    assert "elsewhere" not in report.html
    assert report.html.count('<article class="prompt"') == 4
