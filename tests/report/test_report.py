"""The report is one inert page that says what the findings say, and the same in Markdown."""

import base64
import json
import re
import struct
import subprocess
import sys
import zlib
from types import ModuleType

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.diagnosis.edits import drop, put
from tests.report.page import Page

from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Diagnosis, Finding
from attnpipe.diagnosis.words import thousands
from attnpipe.report.captions import CAPTIONS
from attnpipe.report.citing import MOST
from attnpipe.report.listing import MOST_ROWS, cell
from attnpipe.report.markdown import escape, fenced
from attnpipe.report.picture import picture, png_size
from attnpipe.report.run import Report, render

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="5"></svg>'
HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>|`**\"'&"

FAILED = ("mlp_last", 57)
"""A run that comes late in every list."""


def png(width: int = 9, height: int = 5) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def reported(
    factory: ModuleType, plan: object, *, drawn: tuple[str, ...] = tuple(CAPTIONS), **extra: object
) -> tuple[Diagnosis, Report]:
    tables = factory.study(plan)
    diagnosis = diagnose(tables, factory.diagnosis_context(plan))
    provenance = {
        "config": {"figure": {"show": {name: {} for name in CAPTIONS}}, "name": "made_up"},
        "data": {"source": {"package": "p", "version": "1"}},
    } | extra
    return diagnosis, render(diagnosis, tables, {n: (png(), SVG) for n in drawn}, provenance)


@pytest.fixture(scope="module")
def usual(factory: ModuleType) -> tuple[Diagnosis, Report]:
    return reported(factory, factory.Plan(window=20, epochs=6))


def test_page_loads_nothing_and_runs_nothing(usual: tuple[Diagnosis, Report]) -> None:
    page = Page(usual[1].html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {
        tag for tag, _ in page.tags
    }
    assert all(src.startswith("data:image/") for src in page.all("src"))
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on") or a == "style"]
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?\s*(?:https?:)?//", usual[1].html)
    assert "@import" not in usual[1].html
    outward = [h for h in page.all("href") if not h.startswith(("#", "../aggregate/"))]
    assert outward == []


def test_content_security_policy_allows_only_this_style_and_data_images(
    usual: tuple[Diagnosis, Report],
) -> None:
    import hashlib

    html = usual[1].html
    (policy,) = [a["content"] for t, a in Page(html).tags if a.get("http-equiv")]
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_page_is_well_formed_and_every_link_inside_it_has_a_target(
    usual: tuple[Diagnosis, Report],
) -> None:
    page = Page(usual[1].html)
    assert (page.ill_nested, page.open) == ([], [])
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    inner = {h[1:] for h in page.all("href") if h.startswith("#")}
    assert inner <= set(ids)
    assert all(a.get("alt") for t, a in page.tags if t == "img")
    assert usual[1].html.count("<h1>") == 1


def test_every_finding_and_its_evidence_is_on_the_page(usual: tuple[Diagnosis, Report]) -> None:
    diagnosis, report = usual
    page = Page(report.html)
    ids, links = set(page.all("id")), set(page.all("href"))
    text = " ".join(" ".join(page.text).split())
    for finding in diagnosis.findings:
        assert f"finding-{finding.id}" in ids
        assert " ".join(finding.sentence.split()) in text
        assert all(line in text for line in finding.missing)
        for i in finding.evidence:
            assert f"#evidence-{i}" in links
            assert f"evidence-{i}" in ids


def test_markdown_says_the_same_in_the_same_order(usual: tuple[Diagnosis, Report]) -> None:
    diagnosis, report = usual
    page, text = " ".join(" ".join(Page(report.html).text).split()), report.markdown
    for finding in diagnosis.findings:
        assert escape(finding.sentence) in text
    headings = [h.replace("\\", "") for h in re.findall(r"^##+ (.*)$", text, re.MULTILINE)]
    order = ["Findings", "Figures", "Tables", "Evidence", "Provenance"]
    assert [h for h in headings if h in order] == order
    places = [page.rindex(h) for h in order]
    assert places == sorted(places)
    assert re.findall(r"\]\((\.\./figures/[^)]+)\)", text) == [
        f"../figures/{n}.png" for n in CAPTIONS
    ]


@pytest.fixture(scope="module")
def verdicts(factory: ModuleType) -> tuple[dict[str, Finding], Report]:
    """One verdict that lacks an arm, and one with a flag."""
    plan = factory.Plan(window=20, epochs=6)
    tables = factory.study(plan)
    at = {"level": "model", "metric": "skill_units"}
    weak = put("effects", at | {"model": "lstm_medium_scaled_dot", "code": "E1"},
                  p_claim_holm=0.2, p=0.0004)  # fmt: skip
    tables = weak(drop("effects", model="lstm_small_simple", code="R0")(tables))
    diagnosis = diagnose(tables, factory.diagnosis_context(plan))
    report = render(diagnosis, tables, {}, {"choice": {"study": "steering"}})
    return {str(f.model): f for f in diagnosis.findings if f.predicate == "verdict"}, report


def article(report: Report, finding: Finding) -> str:
    """Return the part of the page on one finding."""
    (found,) = re.findall(
        rf'<article class="finding" id="finding-{finding.id}">.*?</article>', report.html, re.S
    )
    return found


def line(report: Report, finding: Finding) -> str:
    """Return the line of the text on one finding."""
    (found,) = [
        of for of in report.markdown.replace("\\", "").splitlines()
        if of.startswith(f"- **{finding.question}** {finding.diagnosis}. {finding.sentence}")
    ]  # fmt: skip
    return found


def plain(html: str) -> str:
    return " ".join(" ".join(Page(html).text).split())


def test_a_verdict_s_gates_stand_in_a_table_with_n_p_and_evidence(
    verdicts: tuple[dict[str, Finding], Report],
) -> None:
    findings, report = verdicts
    found = findings["lstm_medium_scaled_dot"]
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', article(report, found), re.S)
    assert [plain(row)[:2] for row in rows] == ["E1", "E2", "E3", "E4", "R0", "R1", "R2"]
    assert plain(rows[0]) == (
        "E1 Is its output used? yes +0.600 [0.596, 0.604] < 0.001 5 × 40 "
        "causal.lstm_medium_scaled_dot.E1"
    )
    assert 'href="#evidence-causal.lstm_medium_scaled_dot.E1"' in rows[0]
    assert plain(rows[5]).endswith(
        "no +0.001 [−0.003, 0.005] 0.010 5 × 40 causal.lstm_medium_scaled_dot.R1"
    )
    for gate in (
        "E1 yes (+0.600 [0.596, 0.604]; p of no effect < 0.001; n = 5 × 40; "
        "causal.lstm_medium_scaled_dot.E1)",
        "R1 no (+0.001 [−0.003, 0.005]; p of no effect 0.010; n = 5 × 40; "
        "causal.lstm_medium_scaled_dot.R1)",
    ):
        assert gate in line(report, found).replace("&lt;", "<")


def test_a_gate_without_evidence_says_so(verdicts: tuple[dict[str, Finding], Report]) -> None:
    findings, report = verdicts
    found = findings["lstm_small_simple"]
    (row,) = re.findall(r'<tr><th scope="row">R0.*?</tr>', article(report, found), re.S)
    assert plain(row) == (
        "R0 Is it better than a model trained without attention? inconclusive none"
    )
    assert "; R0 inconclusive; R1 yes (" in line(report, found)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (
            "lstm_medium_scaled_dot",
            "Mean pooling is enough; pooling itself is needed: without it, the model does worse.",
        ),
        ("lstm_small_simple", "Run what is missing before anything is concluded."),
        ("lstm_medium_additive", "Drop attention."),
    ],
)
def test_what_follows_from_a_verdict_stands_out_in_both_forms(
    verdicts: tuple[dict[str, Finding], Report], model: str, says: str
) -> None:
    findings, report = verdicts
    assert f"<p><strong>{says}</strong></p>" in article(report, findings[model])
    assert f"**{says}**" in line(report, findings[model])


def test_flags_stand_with_what_they_rest_on(verdicts: tuple[dict[str, Finding], Report]) -> None:
    findings, report = verdicts
    found = findings["lstm_medium_scaled_dot"]
    assert [*found.flags] == ["MULTIPLICITY"]
    says = "E1: with Holm's correction over the 4 models of the study it would be open."
    html = article(report, found)
    assert f"MULTIPLICITY {says} Evidence (1) causal.lstm_medium_scaled_dot.E1" in plain(html)
    assert f"MULTIPLICITY: {says} (causal.lstm_medium_scaled_dot.E1)" in line(report, found)
    other = findings["lstm_medium_additive"]
    assert "MULTIPLICITY" not in article(report, other) + line(report, other)


def test_verdicts_at_other_margins_are_told(verdicts: tuple[dict[str, Finding], Report]) -> None:
    findings, report = verdicts
    found = findings["lstm_medium_additive"]
    wanted = "At other margins: δ = 0.01: HARMFUL; δ = 0.02: HARMFUL; δ = 0.05: HARMFUL."
    assert wanted in plain(article(report, found))
    assert wanted in line(report, found)


def test_what_a_verdict_lacks_comes_as_a_command(
    verdicts: tuple[dict[str, Finding], Report],
) -> None:
    findings, report = verdicts
    found = findings["lstm_small_simple"]
    command = (
        "snakemake --cores 2 --config study=steering "
        "overrides='++models.lstm_small_simple.arms=[none]'"
    )
    html = article(report, found)
    assert "Missing: R0: arm 'none', trained anew." in plain(html)
    assert f"To run it: {command} Evidence" in plain(html)
    assert f"To run what is missing: ` {command} `." in line(report, found)
    settled = findings["lstm_medium_additive"]
    assert "snakemake" not in article(report, settled) + line(report, settled)


def test_markdown_tables_have_as_many_cells_in_every_row(usual: tuple[Diagnosis, Report]) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", usual[1].markdown, re.MULTILINE)
    assert len(blocks) >= 8
    for block in blocks:
        rows = block.strip().split("\n")
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
        assert re.fullmatch(r"\|(?: -+:? \|)+", rows[1])


def test_hostile_labels_titles_reasons_and_data_are_only_text(factory: ModuleType) -> None:
    plan = factory.Plan(
        window=20, epochs=6,
        labels={"lstm_small_simple": HOSTILE, "lstm_small": HOSTILE},
        diverged=frozenset({("lstm_small_simple", 42)}),
    )  # fmt: skip
    tables = factory.study(plan)
    tables["inventory"] = tables["inventory"].with_columns(
        reason=pl.when(pl.col("outcome") != "ok").then(pl.lit(HOSTILE))
    )
    context = factory.diagnosis_context(plan, title=HOSTILE)
    provenance = {
        "config": {"figure": {"show": {HOSTILE: {}}}, "title": HOSTILE},
        "data": {"source": {HOSTILE: HOSTILE}}, "choice": {"overrides": HOSTILE},
    }  # fmt: skip
    report = render(diagnose(tables, context), tables, {}, provenance)
    page = Page(report.html)
    assert not {"script"} & {tag for tag, _ in page.tags}
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert [t for t, _ in page.tags if t == "img"] == []
    assert (page.ill_nested, page.open) == ([], [])
    assert HOSTILE in "".join(page.text)
    outside_code = re.sub(r"^(`{3,})json\n.*?^\1$", "", report.markdown, flags=re.S | re.M)
    outside_code = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", outside_code)  # commands
    assert "<" not in outside_code
    assert "alert\\(1\\)" in outside_code


def test_figures_that_could_not_be_drawn_are_named(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    _, report = reported(factory, plan, drawn=("entropy",))
    text = " ".join(" ".join(Page(report.html).text).split())
    absent = "summary, gates, use_and_benefit, compression, answer_effects, ablation"
    assert f"Figures that could not be drawn: {absent}" in text
    assert "The figure “summary” could not be drawn." in text
    assert "The figure “summary” could not be drawn." in report.markdown
    assert "../figures/summary.png" not in report.markdown
    assert report.html.count("<img") == 1


def test_gaps_stand_at_the_top(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6, diverged=frozenset({("lstm_small", 7)}), causal=False)
    _, report = reported(factory, plan)
    for text in (report.html, report.markdown):
        top = text[: text.index("Entropy of rows")].replace("\\", "")
        assert "1 run diverged: LSTM small (seed 7); the inventory says why." in top
        assert "the loss became NaN" not in top
        assert "(E1, E2, E3, E4) and arms trained anew (R0, R1, R2) are missing" in top


def test_answer_comes_first_and_published_words_are_quoted(
    usual: tuple[Diagnosis, Report],
) -> None:
    diagnosis, report = usual
    text = " ".join(Page(report.html).text)
    answer = next(f for f in diagnosis.findings if f.id == "answer.study")
    assert text.index(answer.sentence) < text.index("Skill")
    assert "published as “nahezu uniform”" in text
    assert "As published: “nahezu uniform”" in text


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": (7,)},
        {"attention": ()},
        {"trained": False, "unknowable": frozenset({"lstm_small_simple"})},
        {"absent": frozenset({"lstm_small_simple"})},
        {"heads": 3},
        {"last_epoch_final": frozenset({7})},
    ],
)
def test_every_kind_of_study_is_reported(factory: ModuleType, options: dict[str, object]) -> None:
    _, report = reported(factory, factory.Plan(**{"window": 20, "epochs": 6} | options))
    page = Page(report.html)
    assert (page.ill_nested, page.open) == ([], [])
    assert {h[1:] for h in page.all("href") if h.startswith("#")} <= set(page.all("id"))
    assert "None" not in " ".join(page.text)
    assert "nan" not in " ".join(page.text).split()


def without_seeds(factory: ModuleType) -> Report:
    """The report of saved weights without a seed axis: seed 0 stands in."""
    plan = factory.Plan(window=20, epochs=6, seeds=(0,), trained=False)
    tables = {n: t for n, t in factory.study(plan).items() if n != "comparisons"}
    tables["inventory"] = tables["inventory"].with_columns(has_seeds=pl.lit(False))
    data = {"models": {name: {"seeds": []} for name in plan.models}}
    diagnosis = diagnose(tables, factory.diagnosis_context(plan))
    return render(diagnosis, tables, {"summary": (png(), SVG)}, {"data": data})


def test_weights_without_seeds_are_not_given_the_one_that_stands_in(factory: ModuleType) -> None:
    report = without_seeds(factory)
    for text in (report.html, report.markdown):
        assert "Seeds: none, the weights come without a seed axis." in text
    runs = re.findall(r"yes</span> <strong>([^<]*)</strong></td>", report.html)
    assert set(runs) == {"1 of 1"}


def test_captions_link_only_tables_that_there_are(
    factory: ModuleType, usual: tuple[Diagnosis, Report]
) -> None:
    assert "../aggregate/comparisons.csv" in usual[1].html
    report = without_seeds(factory)
    for text in (report.html, report.markdown):
        assert "../aggregate/metrics.csv" in text
        assert "comparisons.csv" not in text


def test_empty_study_is_reported(factory: ModuleType) -> None:
    diagnosis = diagnose({}, factory.diagnosis_context(factory.Plan()))
    report = render(diagnosis, {}, {}, {})
    assert "There are no tables." in report.html
    assert "There are no tables." in report.markdown


def test_long_tables_are_cut_and_say_so(factory: ModuleType) -> None:
    plan = factory.Plan(window=8, epochs=1, seeds=tuple(range(60)))
    tables = factory.study(plan)
    assert tables["inventory"].height > MOST_ROWS
    report = render(diagnose(tables, factory.diagnosis_context(plan)), tables, {}, {})
    left = tables["inventory"].height - MOST_ROWS
    assert f"{left} more rows are only there." in report.html
    assert f"{left} more rows are only there." in report.markdown


def test_of_more_evidence_than_anyone_reads_the_first_is_named_and_the_rest_counted(
    factory: ModuleType,
) -> None:
    plan = factory.Plan(window=8, epochs=1, seeds=tuple(range(60)))
    tables = factory.study(plan)
    diagnosis = diagnose(tables, factory.diagnosis_context(plan))
    report = render(diagnosis, tables, {}, {})
    page = Page(report.html)
    ids, links = set(page.all("id")), page.all("href")
    assert {h[1:] for h in links if h.startswith("#")} <= ids
    (whole,) = [f for f in diagnosis.findings if f.id == "gaps.study"]
    more = len(whole.evidence) - MOST
    assert more > 0
    assert f"({len(whole.evidence)})" in report.html
    assert f"and {thousands(more)} more, in <a" in report.html
    assert f"and {thousands(more)} more, in diagnosis.json" in report.markdown
    assert f"#evidence-{whole.evidence[MOST - 1]}" in links
    named = {i for f in diagnosis.findings for i in f.evidence[:MOST]}
    named |= {i for f in diagnosis.findings for g in f.flags.values() for i in g.evidence[:MOST]}
    shown = {i.removeprefix("evidence-") for i in ids if i.startswith("evidence-")}
    cited = {i for f in diagnosis.findings for i in f.evidence}
    assert named <= shown
    assert not (cited - named) & shown
    left = len(diagnosis.evidence) - len(shown)
    assert f"{thousands(left)} more rows are in <a" in report.html


def test_the_run_that_failed_is_among_the_rows_that_are_named(factory: ModuleType) -> None:
    plan = factory.Plan(window=8, epochs=1, seeds=tuple(range(60)), diverged=frozenset({FAILED}))
    diagnosis = diagnose(factory.study(plan), factory.diagnosis_context(plan))
    report = render(diagnosis, factory.study(plan), {}, {})
    (whole,) = [f for f in diagnosis.findings if f.id == "gaps.study"]
    run = f"run.{FAILED[0]}.{FAILED[1]}"
    assert run in whole.evidence
    assert run not in whole.evidence[:MOST]
    assert f'<a href="#evidence-{run}">' in article(report, whole)
    assert f"({len(whole.evidence)}): {run}, " in report.markdown.replace("\\", "")


@pytest.mark.parametrize(("more", "said"), [(1, "1 more row is"), (2, "2 more rows are")])
def test_rows_left_out_are_counted_in_grammar(factory: ModuleType, more: int, said: str) -> None:
    tables = {"inventory": factory.study(factory.Plan(window=8, epochs=1))["inventory"]}
    tables["inventory"] = tables["inventory"].sample(
        n=MOST_ROWS + more, with_replacement=True, seed=1
    )
    empty = diagnose({}, factory.diagnosis_context(factory.Plan()))
    report = render(empty, tables, {}, {})
    assert f"{said} only there." in report.html
    assert f"{said} only there." in report.markdown


def test_sentences_without_evidence_are_explained(usual: tuple[Diagnosis, Report]) -> None:
    for text in (usual[1].html, usual[1].markdown):
        intro = text[text.index("Every sentence is emitted") :][:300]
        assert "a sentence without evidence says what is missing" in intro


def test_captions_assert_no_result() -> None:
    assert "may be near 1 even for untrained models" in CAPTIONS["seed_similarity"].text
    entropy = CAPTIONS["entropy"].text
    for word in ("can be higher", "lower because it is divided by ln T", "last query"):
        assert word in entropy
    assert "1 + 1 / (4n)" in CAPTIONS["variation"].text
    assert "Where the validation data vary less" in CAPTIONS["loss_curves"].text


def test_evidence_stands_below_the_sentence_that_rests_on_it(
    usual: tuple[Diagnosis, Report],
) -> None:
    diagnosis, report = usual
    lines = report.markdown.replace("\\", "").splitlines()
    for finding in diagnosis.findings:
        (place,) = [
            k for k, of in enumerate(lines)
            if of.startswith(f"- **{finding.question}**") and finding.sentence in of
            and all(f" {i}" in " ".join(lines[k + 1 : k + 2]) for i in finding.evidence)
        ][:1]  # fmt: skip
        assert "Evidence (" not in lines[place]
        if finding.evidence:
            assert lines[place + 1].startswith(f"  - Evidence ({len(finding.evidence)}): ")


def test_names_of_arms_are_explained_where_runs_are_listed(
    usual: tuple[Diagnosis, Report],
) -> None:
    for text in (usual[1].html, usual[1].markdown):
        assert "is an arm: one trained anew without attention" in text


def test_fingerprints_of_stages_are_shown(factory: ModuleType) -> None:
    hashes = {"stages/train.py": "1a2b", "stages/report.py": "3c4d"}
    _, report = reported(factory, factory.Plan(window=20, epochs=6), drawn=(), fingerprints=hashes)
    terms = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", report.html)
    for stage, value in hashes.items():
        assert (f"fingerprints: {stage}", value) in terms
        assert f"- fingerprints: {stage}: {value}" in report.markdown


def test_same_input_gives_the_same_report(factory: ModuleType) -> None:
    plan = factory.Plan(window=20, epochs=6)
    assert reported(factory, plan)[1] == reported(factory, plan)[1]


def test_provenance_is_complete_and_readable_as_json(factory: ModuleType) -> None:
    config = {"b": [1, "```"], "a": "é<"}
    _, report = reported(
        factory, factory.Plan(window=20, epochs=6), drawn=(), config=config,
        versions={"torch": "2.0"}, fingerprints={"train.py": "abc"}, choice={"study": "s"},
    )  # fmt: skip
    blocks = re.findall(r"^(`{3,})json\n(.*?)^\1$", report.markdown, re.S | re.M)
    assert json.loads(blocks[0][1]) == config
    text = "".join(Page(report.html).text)
    for fact in ("versions: torch", "fingerprints: train.py", "choice: study", "data: package"):
        assert fact in text
        assert escape(fact) in report.markdown


def test_small_svg_is_embedded_large_or_active_ones_are_replaced_by_the_png() -> None:
    assert picture(png(), SVG).uri.startswith("data:image/svg+xml;base64,")
    assert picture(png(), SVG + " " * 400_000).uri.startswith("data:image/png;base64,")
    for bad in (
        "<script>",
        "<foreignObject/>",
        '<g onload="x"/>',
        '<image xlink:href="http://x"/>',
    ):
        assert picture(png(), SVG.replace("</svg>", bad + "</svg>")).uri.startswith(
            "data:image/png"
        )
    inline = '<image xlink:href="data:image/png;base64,AA=="/>'
    kept = picture(png(), SVG.replace("</svg>", inline + "</svg>"))
    assert kept.uri.startswith("data:image/svg")
    assert (kept.width, kept.height) == (9, 5)
    with pytest.raises(ValueError, match="not a PNG"):
        png_size(b"GIF89a" + bytes(20))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.text())
def test_escaped_text_stays_on_its_line_and_has_no_bare_markup(text: str) -> None:
    escaped = escape(text)
    assert "\n" not in escaped
    assert "\r" not in escaped
    assert "<" not in escaped
    assert ">" not in escaped
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|#]", escaped)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(alphabet="`a\n"))
def test_fence_is_longer_than_any_inside(text: str) -> None:
    block = fenced(text)
    fence = re.match(r"`+", block)
    assert fence is not None
    assert fence[0] not in text
    assert block.endswith("\n" + fence[0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "yes"), (False, "no"), (3, "3"), (0.123456, "0.1235"), (-2.0, "−2"),
        (1.5e-7, "1.5e−07"), (123456.0, "1.235e+05"), ("a", "a"),
    ],
)  # fmt: skip
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_report_imports_neither_matplotlib_nor_scipy_nor_torch() -> None:
    code = (
        "import sys; from attnpipe.report.run import render; "
        "sys.exit(any(m.split('.')[0] in ('matplotlib', 'scipy', 'torch') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_figure_has_a_caption() -> None:
    from attnpipe.figures.registry import FIGURES, NEEDS

    assert set(CAPTIONS) == set(FIGURES)
    for name, caption in CAPTIONS.items():
        read = {f"{table}.csv" for table in NEEDS[name]} | {"convergence.csv"}
        assert set(caption.tables) <= read
        assert len(caption.alt) > 30
