"""Reports of hostile texts, opened in a real browser: nothing in them runs or is fetched."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from tests.diagnosis.text import factory as texts
from tests.figures import factory as studies

from attnpipe.diagnosis.run import diagnose
from attnpipe.figures.registry import FIGURES, NEEDS
from attnpipe.figures.save import save_png, save_svg
from attnpipe.report.run import render
from attnpipe.saved_weights.describe import describe
from attnpipe.schema.data import SavedWeightsData
from attnpipe.schema.figure import FigureOptions

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
RUN = "document.documentElement.setAttribute('ran','1')"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"</title></pre></style></script><script>{RUN}</script>",
    f"<img src=x onerror=\"{RUN}\">",
    f"'\"><svg onload={RUN}>",
    f"<a href=\"javascript:{RUN}\" autofocus onfocus={RUN}>x</a>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'><base href=//evil.example/>",
    f"{{{{7*7}}}}<![CDATA[><script>{RUN}</script>]]>",
]  # fmt: skip
TOGETHER = " ".join(HOSTILE)

DRAWN = ("entropy", "profiles", "forest", "summary")
HERE = "<i id=here></i>"
FETCHED = re.compile(r"@import|url\(\s*['\"]?(?!data:|#)[^)]{0,40}", re.I).findall
"""What a style would get from elsewhere."""

needs_browser = pytest.mark.skipif(BROWSER is None, reason=f"no browser is installed: {BROWSERS}")


class Loaded(HTMLParser):
    """What the browser made of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.styles: list[str] = []
        self.feed(html)
        self.styles += [attributes.get("style") or "" for _, attributes in self.tags]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "style":
            self.styles.append(data)

    @property
    def ran(self) -> bool:
        return any("ran" in attributes for _, attributes in self.tags)

    @property
    def active(self) -> list[str]:
        """Elements, attributes and styles that could run, fetch or lead away."""
        found = [t for t, _ in self.tags if t in ("script", "iframe", "object", "embed", "base")]
        for tag, attributes in self.tags:
            for name, value in attributes.items():
                address = re.sub(r"\s", "", value or "").lower()
                fetched = name in ("src", "srcset", "action", "data", "background", "poster")
                fetched = fetched or (tag, name) == ("link", "href")
                if (
                    (tag, name, address) == ("meta", "http-equiv", "refresh")
                    or name.startswith("on")
                    or address.startswith(("javascript:", "vbscript:"))
                ):
                    found.append(f"{tag} {name}")
                elif fetched and not address.startswith("data:image/"):
                    found.append(f"{tag} {name}={address[:60]}")
        return found + [f"style {found}" for style in self.styles for found in FETCHED(style)]


def load(folder, html: str) -> Loaded:
    """Open a page, let its time pass, and return it as it then is."""
    page = folder / "page.html"
    page.write_text(html, "utf-8")
    done = subprocess.run(
        [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000",
            "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "</html>" in done.stdout
    return Loaded(done.stdout)


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>", "<p onclick=f()>", "<a href=' java\tscript:f()'>", "<img src=x.png>",
        "<img srcset='//evil.example/x 2x'>", "<iframe>", "<object data=x>", "<base href=//x>",
        "<form action=//x>", "<meta http-equiv=Refresh content=0>", "<link rel=icon href=x.ico>",
        "<style>p{background:url(//evil.example/x)}</style>", "<style>@import 'x.css'</style>",
        "<p style=\"background: url('x.png')\">", "<svg><image src=http://x/></svg>",
    ],
)  # fmt: skip
def test_what_could_run_fetch_or_lead_away_is_seen(html):
    assert Loaded(html).active != []


@pytest.mark.parametrize(
    "html",
    [
        "<meta http-equiv=Content-Security-Policy content=x>", "<a href='#top'>x</a>",
        "<img src='data:image/png;base64,AA=='>", "<style>p{color:red}</style>",
        "<g clip-path='url(#a)' style='fill:url(#b)'></g>", "<p>@import url(x)</p>",
    ],
)  # fmt: skip
def test_nothing_else_is(html):
    assert Loaded(html).active == []


@needs_browser
@pytest.mark.parametrize("text", HOSTILE)
def test_the_texts_are_hostile(tmp_path, text):
    """Written as they are they run, stay active or lead away: what follows could fail."""
    page = load(tmp_path, f"<html><title>{text}</title><body>{text}{HERE}</body></html>")
    left = all(attributes.get("id") != "here" for _, attributes in page.tags)
    assert page.ran or page.active or left


def assert_inert(page: Loaded) -> None:
    assert not page.ran
    assert page.active == []
    assert len(page.tags) > 200


def drawn(plan, tables) -> dict[str, tuple[bytes, str]]:
    """Return pictures of a study as its report takes them."""
    context, pictures = studies.figure_context(plan), {}
    for name in DRAWN:
        needed = {table: tables[table] for table in NEEDS[name]}
        figure = FIGURES.load(name)(needed, context, FigureOptions())
        pictures[name] = save_png(figure, context.style), save_svg(figure, context.style)
    return pictures


@needs_browser
def test_the_report_of_a_study_is_inert(tmp_path):
    plan = studies.Plan(
        window=20, epochs=6,
        labels={"lstm_small_simple": TOGETHER, "lstm_small": HOSTILE[3]},
        diverged=frozenset({("lstm_small_simple", 42)}),
    )  # fmt: skip
    tables = studies.study(plan)
    tables["inventory"] = tables["inventory"].with_columns(
        reason=pl.when(pl.col("outcome") != "ok").then(pl.lit(TOGETHER))
    )
    context = studies.diagnosis_context(plan, title=TOGETHER)
    provenance = {
        "config": {"figure": {"show": {TOGETHER: {}}}, "title": TOGETHER},
        "data": {"source": {"files": [{"name": text} for text in HOSTILE]}},
        "choice": {"overrides": TOGETHER},
    }
    pictures = drawn(plan, tables)
    html = render(diagnose(tables, context), tables, pictures, provenance).html
    assert html.count("data:image/") >= len(DRAWN)
    assert_inert(load(tmp_path, html))
    for _, svg in pictures.values():  # people open them alone, too
        assert_inert(load(tmp_path, f"<html><body>{svg}</body></html>"))


@needs_browser
def test_the_report_of_saved_weights_is_inert(tmp_path):
    """Folders may be called anything that has no slash, and models are called after them."""
    names = [text for text in HOSTILE if "/" not in text]
    assert len(names) >= 2
    for name in names:
        run = tmp_path / "weights" / f"{name}_seed1"
        run.mkdir(parents=True)
        np.save(run / "attention_test.npy", np.full(20, 0.05, np.float32))
    spec = SavedWeightsData.model_validate(
        {"kind": "saved_weights", "name": "import", "path": str(tmp_path / "weights")}
    )
    files = dict.fromkeys((tmp_path / "weights").rglob("*.npy"), "0" * 64)
    described = describe(spec, files)
    labels = [model["label"] for model in described["models"].values()]
    assert sorted(labels) == sorted(names)
    models = ("lstm_small_simple", "lstm_medium_simple")
    plan = studies.Plan(
        window=20, epochs=6, trained=False, plain=(), labels=dict(zip(models, labels, strict=False))
    )
    tables = studies.study(plan)
    provenance = {"config": {"data": {"path": names[0]}}, "data": described}
    findings = diagnose(tables, studies.diagnosis_context(plan))
    html = render(findings, tables, drawn(plan, tables), provenance).html
    assert html.count("onerror") > 5, "the names are there"
    assert_inert(load(tmp_path, html))


@needs_browser
def test_the_report_of_prompts_is_inert(tmp_path):
    from tests.report.text.test_text_report import MODEL, reported

    plan = texts.Plan(
        prompt=TOGETHER, token=HOSTILE[2], generated=TOGETHER, labels={MODEL: TOGETHER}
    )
    _, report = reported(texts, plan)
    assert_inert(load(tmp_path, report.html))
