"""Reports of hostile texts, opened in a real browser: nothing in them runs or is fetched."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import polars as pl
import pytest
from tests.diagnosis.text import factory as texts
from tests.figures import factory as studies

from attnpipe.diagnosis.run import diagnose
from attnpipe.report.run import render

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

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser is installed: {BROWSERS}")


class Loaded(HTMLParser):
    """What the browser made of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    @property
    def ran(self) -> bool:
        return any("ran" in attributes for _, attributes in self.tags)

    @property
    def active(self) -> list[str]:
        """Elements and attributes that could run or fetch something."""
        found = [t for t, _ in self.tags if t in ("script", "iframe", "object", "embed", "base")]
        for tag, attributes in self.tags:
            for name, value in attributes.items():
                address = re.sub(r"\s", "", value or "").lower()
                fetched = name in ("src", "srcset", "action", "data", "background", "poster")
                if name.startswith("on") or address.startswith(("javascript:", "vbscript:")):
                    found.append(f"{tag} {name}")
                elif fetched and not address.startswith("data:image/"):
                    found.append(f"{tag} {name}={address[:60]}")
        return found


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


@pytest.mark.parametrize("text", HOSTILE[:4])
def test_the_texts_are_hostile(tmp_path, text):
    """Written as they are they run: what follows could fail."""
    assert load(tmp_path, f"<html><title>{text}</title><body>{text}</body></html>").ran


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
    page = load(tmp_path, render(diagnose(tables, context), tables, {}, provenance).html)
    assert not page.ran
    assert page.active == []
    assert len(page.tags) > 200


def test_the_report_of_prompts_is_inert(tmp_path):
    from tests.report.text.test_text_report import MODEL, reported

    plan = texts.Plan(
        prompt=TOGETHER, token=HOSTILE[2], generated=TOGETHER, labels={MODEL: TOGETHER}
    )
    _, report = reported(texts, plan)
    page = load(tmp_path, report.html)
    assert not page.ran
    assert page.active == []
    assert len(page.tags) > 200
