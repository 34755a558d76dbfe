"""Findings, tables and figures → one page, and the same in Markdown."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from attnpipe.diagnosis.schema import Diagnosis
from attnpipe.diagnosis.words import estimate, gate_estimate, p_value, thousands
from attnpipe.report.citing import MOST, cited
from attnpipe.report.command import command
from attnpipe.report.listing import cell
from attnpipe.report.markdown import code, escape, fenced, path
from attnpipe.report.overview import tone
from attnpipe.report.view import SAYS, Images, view

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Report:
    """Both forms of the report; they say the same in the same order."""

    html: str
    markdown: str


def render(
    diagnosis: Diagnosis,
    tables: Mapping[str, pl.DataFrame],
    figures: Images,
    provenance: Mapping[str, Any],
    texts: pl.DataFrame | None = None,
) -> Report:
    """Return the report of a study.

    Parameters
    ----------
    diagnosis
        All findings with their evidence: the only sentences about results.
    tables
        Name → table of the study; absent ones are left out.
    figures
        Name → PNG and SVG. Figures that the config asks for and that are not here are named.
    provenance
        `config` (resolved), `data` (description), and where known `choice`, `versions`,
        `fingerprints` or `fingerprint`: JSON-serialisable.
    texts
        `tables.TEXTS` of a study of texts: prompts are then shown as they were written.

    Returns
    -------
    Report
        `html` is one file: no script, no network, images inside. `markdown` links figures
        and tables by relative paths from `report/`.
    """
    shown = view(diagnosis, tables, figures, provenance, texts)
    style = (TEMPLATES / "style.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _environment(autoescape=True)
    text = _environment(autoescape=False, finalize=escape)
    return Report(
        html=page.get_template("index.html.j2").render(view=shown, style=style, digest=digest),
        markdown=text.get_template("report.md.j2").render(view=shown, fenced=fenced),
    )


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.globals |= {"says": SAYS, "command": command, "tone": tone, "most": MOST}
    environment.filters |= {
        "cell": cell, "estimate": estimate, "estimate_of": gate_estimate, "p_value": p_value,
        "thousands": thousands, "path": path, "code": code, "cited": cited,
    }  # fmt: skip
    return environment
