"""What both forms of the report show, in order, without any markup."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from attnpipe.diagnosis.schema import Diagnosis, Evidence, Finding, ModelEntry, Status
from attnpipe.diagnosis.words import number
from attnpipe.report.captions import CAPTIONS, Caption, caption
from attnpipe.report.listing import Listing, cell, listings
from attnpipe.report.picture import Picture, picture

Images = Mapping[str, tuple[bytes, str]]

SAYS: dict[Status, str] = {
    "YES": "yes",
    "NO": "no",
    "HARM": "worse",
    "INCONCLUSIVE": "inconclusive",
    "DESCRIPTIVE": "described",
    "INVALID": "invalid",
}
COLUMNS = (
    "Model", "Skill", "Gain over baseline", "Entropy of rows", "Seeds alike", "Runs", "Verdict",
)  # fmt: skip
CHECKS = ("runs", "seeds", "duplicates", "final_weights", "extraction")
"""Predicates that are shown in short where they find nothing wrong."""


@dataclass(frozen=True)
class Cell:
    """One cell of the overview: a number, its interval, its status and a remark, if any."""

    text: str
    interval: str = ""
    status: Status | None = None
    note: str = ""


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
    answer: str
    delta: str
    confidence: str
    seeds: str
    columns: Sequence[str]
    overview: Sequence[tuple[ModelEntry, Sequence[Cell]]]
    gaps: Sequence[str]
    chapters: Sequence[Chapter]
    figures: Sequence[Figure]
    listings: Sequence[Listing]
    evidence: Sequence[Evidence]
    facts: Sequence[tuple[str, str]]
    documents: Sequence[tuple[str, str]]


def view(
    diagnosis: Diagnosis,
    tables: Mapping[str, pl.DataFrame],
    images: Images,
    provenance: Mapping[str, Any],
) -> View:
    """Arrange everything; nothing is said here that no finding or table says."""
    by_id = {f.id: f for f in diagnosis.findings}
    evidence = {e.id: e for e in diagnosis.evidence}
    figures = _figures(images, provenance, tables)
    answer = by_id.get("answer.study")
    return View(
        title=diagnosis.title,
        answer=answer.sentence if answer else "No finding answers this study's question.",
        delta=f"{diagnosis.delta:g}",
        confidence=f"{100 * diagnosis.confidence:g} %",
        seeds=_seeds(diagnosis.seeds, provenance),
        columns=COLUMNS,
        overview=[(m, _row(m, by_id, evidence, len(diagnosis.seeds))) for m in diagnosis.models],
        gaps=_gaps(diagnosis, by_id, figures),
        chapters=_chapters(diagnosis),
        figures=figures,
        listings=listings(tables),
        evidence=diagnosis.evidence,
        facts=_facts(provenance),
        documents=[
            (name, json.dumps(provenance[key], indent=2, sort_keys=True, ensure_ascii=False))
            for key, name in (("config", "Configuration"), ("data", "Data"))
            if key in provenance
        ],
    )


def _seeds(seeds: Sequence[int], provenance: Mapping[str, Any]) -> str:
    """Return the seeds, or that saved weights come without any: then a number stands in."""
    stored = (provenance.get("data") or {}).get("models")
    if stored and not any(model["seeds"] for model in stored.values()):
        return "none, the weights come without a seed axis"
    more = f" and {len(seeds) - 20} more" if len(seeds) > 20 else ""
    return ", ".join(map(str, seeds[:20])) + more


def _row(
    model: ModelEntry,
    findings: Mapping[str, Finding],
    evidence: Mapping[str, Evidence],
    seeds: int,
) -> list[Cell]:
    of = {f.predicate: f for f in findings.values() if f.model == model.name}
    if not model.attention:
        none = Cell("–")
        return [_number(of.get("skill")), none, none, none, _runs(of, evidence, seeds), none]
    profile = evidence.get(f"metric.{model.name}.profile_entropy_normalized")
    said = of.get("published_entropy")
    note = ""
    if profile is not None and profile.estimate is not None:
        note = f"profile {number(profile.estimate)}"
        if said is not None and said.as_published:
            note += f", published as “{said.as_published}”"
    rows = replace(_number(said), status=None, note=note)
    verdict = of.get("verdict")
    return [
        _number(of.get("skill")),
        _number(of.get("gain"), sign=True),
        rows,
        _number(of.get("stability")),
        _runs(of, evidence, seeds),
        Cell("", status=verdict.status) if verdict else Cell("unknown"),
    ]


def _number(finding: Finding | None, *, sign: bool = False) -> Cell:
    if finding is None:
        return Cell("unknown")
    interval = ""
    if finding.lo95 is not None and finding.hi95 is not None:
        interval = f"[{number(finding.lo95)}, {number(finding.hi95)}]"
    return Cell(number(finding.effect, sign=sign), interval, finding.status)


def _runs(of: Mapping[str, Finding], evidence: Mapping[str, Evidence], seeds: int) -> Cell:
    """Return how many runs count: those that ended well and are no copy of another."""
    runs = of.get("runs")
    if runs is None or runs.missing:
        return Cell("unknown", status=runs.status if runs else None)
    found = [evidence[i].facts for i in runs.evidence]
    good = [f for f in found if f["outcome"] == "ok" and f["identical_to"] is None]
    return Cell(f"{len(good)} of {seeds}", status=runs.status)


def _gaps(
    diagnosis: Diagnosis, findings: Mapping[str, Finding], figures: Sequence[Figure]
) -> list[str]:
    lines = []
    study = findings.get("gaps.study")
    if study is not None and study.status != "YES":
        lines.append(study.sentence)
    absent = [f.name for f in figures if f.picture is None]
    if absent:
        lines.append(f"Figures that could not be drawn: {', '.join(absent)}.")
    causal = [f for f in diagnosis.findings if f.predicate == "verdict"]
    wanted = sorted({m.partition(":")[0] for f in causal for m in f.missing if ":" in m})
    if wanted:
        lines.append(
            f"Causal evidence for {len(causal)} model{'s' if len(causal) > 1 else ''}: "
            f"{', '.join(wanted)} (interventions and retrained arms; the findings name each)."
        )
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
    source = (provenance.get("data") or {}).get("source")
    if isinstance(source, Mapping):
        facts += [(f"data: {name}", cell(source[name])) for name in sorted(source)]
    return facts
