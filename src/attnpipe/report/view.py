"""What both forms of the report show, in order, without any markup."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from attnpipe.diagnosis.schema import Diagnosis, Evidence, Finding, Status
from attnpipe.report.captions import CAPTIONS, Caption, caption
from attnpipe.report.citing import foremost, named_in
from attnpipe.report.listing import CHOICES, Listing, cell, listings
from attnpipe.report.overview import Overview, overview
from attnpipe.report.picture import Picture, picture
from attnpipe.report.preface import QUOTES, counts, remarks
from attnpipe.report.text.overview import overview as text_overview
from attnpipe.report.text.prompts import PromptChapter, prompts

Images = Mapping[str, tuple[bytes, str]]

SAYS: dict[Status, str] = {
    "YES": "yes",
    "NO": "no",
    "HARM": "worse",
    "INCONCLUSIVE": "inconclusive",
    "DESCRIPTIVE": "described",
    "INVALID": "invalid",
}
CHECKS = ("runs", "seeds", "duplicates", "final_weights", "extraction", "capture")
"""Predicates that are shown in short where they find nothing wrong."""


@dataclass(frozen=True)
class Figure:
    """A figure, or its name where there is none."""

    name: str
    caption: Caption
    picture: Picture | None


@dataclass(frozen=True)
class Chapter:
    """The findings on one model, or on the study."""

    anchor: str
    title: str
    findings: list[Finding]
    passed: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class View:
    """The whole report."""

    title: str
    choice: Mapping[str, str]
    answer: str
    remarks: str
    quotes: str
    overview: Overview
    gaps: Sequence[str]
    chapters: Sequence[Chapter]
    prompts: Sequence[PromptChapter]
    figures: Sequence[Figure]
    listings: Sequence[Listing]
    elsewhere: Sequence[str]
    evidence: Sequence[Evidence]
    not_shown: int
    counts: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    documents: Sequence[tuple[str, str]]


def view(
    diagnosis: Diagnosis,
    tables: Mapping[str, pl.DataFrame],
    images: Images,
    provenance: Mapping[str, Any],
    texts: pl.DataFrame | None = None,
) -> View:
    """Arrange everything; nothing is said here that no finding or table says."""
    diagnosis = foremost(diagnosis)
    by_id = {f.id: f for f in diagnosis.findings}
    of_texts = diagnosis.kind == "text"
    figures = _figures(images, provenance, tables)
    answer = by_id.get("answer.study")
    evidence = named_in(diagnosis)
    return View(
        title=diagnosis.title,
        choice=provenance.get("choice") or {},
        answer=answer.sentence if answer else "No finding answers this study's question.",
        remarks=remarks(diagnosis, provenance),
        quotes=QUOTES[diagnosis.kind],
        overview=(text_overview if of_texts else overview)(diagnosis),
        gaps=_gaps(by_id, figures),
        chapters=_chapters(diagnosis),
        prompts=prompts(diagnosis, tables, provenance, texts) if of_texts else [],
        figures=figures,
        listings=listings(tables),
        elsewhere=[f"{name}.csv" for name in tables if name not in CHOICES],
        evidence=evidence,
        not_shown=len(diagnosis.evidence) - len(evidence),
        counts=counts(diagnosis.kind),
        facts=_facts(provenance),
        documents=[
            (name, json.dumps(provenance[key], indent=2, sort_keys=True, ensure_ascii=False))
            for key, name in (("config", "Configuration"), ("data", "Data"))
            if key in provenance
        ],
    )


def _gaps(findings: Mapping[str, Finding], figures: Sequence[Figure]) -> list[str]:
    lines = []
    study = findings.get("gaps.study")
    if study is not None and study.status != "YES":
        lines.append(study.sentence)
    absent = [f.name for f in figures if f.picture is None]
    if absent:
        lines.append(f"Figures that could not be drawn: {', '.join(absent)}.")
    return lines


def _chapters(diagnosis: Diagnosis) -> list[Chapter]:
    of_study = [f for f in diagnosis.findings if f.model is None]
    chapters = [Chapter("study", "The study as a whole", of_study)] if of_study else []
    for model in diagnosis.models:
        own = [f for f in diagnosis.findings if f.model == model.name]
        if own:
            passed = [f for f in own if f.predicate in CHECKS and f.status == "YES"]
            rest = [f for f in own if f not in passed]
            chapters.append(Chapter(f"model-{model.name}", model.label, rest, passed))
    return chapters


def _figures(
    images: Images, provenance: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]
) -> list[Figure]:
    """Return the figures that were drawn or asked for, in reading order, with tables there are."""
    config = provenance.get("config") or {}
    asked = (config.get("figure") or {}).get("show") or {}
    names = {*images, *asked}
    order = [*(n for n in CAPTIONS if n in names), *sorted(names - set(CAPTIONS))]
    found = []
    for name in order:
        of = caption(name)
        there = tuple(table for table in of.tables if table.removesuffix(".csv") in tables)
        drawn = picture(*images[name]) if name in images else None
        found.append(Figure(name, replace(of, tables=there), drawn))
    return found


def _facts(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return short facts of provenance: what was chosen, versions, fingerprints."""
    facts: list[tuple[str, str]] = []
    for key in ("choice", "versions", "fingerprints"):
        value = provenance.get(key)
        if isinstance(value, Mapping):
            facts += [(f"{key}: {name}", cell(value[name])) for name in sorted(value)]
    if isinstance(provenance.get("fingerprint"), str):
        facts.append(("fingerprint of the report", provenance["fingerprint"]))
    data = provenance.get("data") or {}
    source = data.get("source") or (data.get("texts") or {}).get("source")
    if isinstance(source, Mapping):
        facts += [(f"data: {name}", cell(source[name])) for name in sorted(source)]
    return facts
