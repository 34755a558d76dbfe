"""One row per model of a study of texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from attnpipe.diagnosis.schema import Diagnosis, Evidence, Finding
from attnpipe.diagnosis.text.words import between
from attnpipe.diagnosis.words import percent
from attnpipe.report.overview import Cell, Overview, cell_of

Rows = Mapping[str, Evidence]
MakeCell = Callable[[Finding | None, Rows], Cell]


def overview(diagnosis: Diagnosis) -> Overview:
    """Return what decides, model by model; columns of questions that nobody asked are left out."""
    evidence = {e.id: e for e in diagnosis.evidence}
    of = {
        model.name: {f.predicate: f for f in diagnosis.findings if f.model == model.name}
        for model in diagnosis.models
    }
    asked = {predicate for findings in of.values() for predicate in findings}
    columns = [c for c in COLUMNS if c[1] in asked]
    rows = [
        (model, [cell(of[model.name].get(name), evidence) for _, name, cell in columns])
        for model in diagnosis.models
    ]
    return Overview(["Model", *(title for title, *_ in columns)], rows)


def _range(finding: Finding | None, _: Rows) -> Cell:
    """Return the estimate, or the range over variants; a description has no answer to show."""
    if finding is None or finding.effect_range is None:
        return replace(cell_of(finding), status=None)
    return Cell(between(*finding.effect_range), note="over variants")


def _answered(finding: Finding | None, _: Rows) -> Cell:
    cell = cell_of(finding, sign=True)
    return cell if finding is not None and finding.effect is not None else replace(cell, text="")


def _entropy(finding: Finding | None, evidence: Rows) -> Cell:
    """Return the range of the last row's entropy that the finding on sinks rests on."""
    found = _estimates(finding, evidence, ".last.entropy_normalized")
    if not found:
        return Cell("unknown")
    return Cell(
        between(min(found), max(found)),
        note="of ln n" + ("" if len(found) == 1 else ", over variants"),
    )


def _rows(finding: Finding | None, evidence: Rows) -> Cell:
    """Return the share of valid rows."""
    cited = finding.evidence if finding else []
    runs = [evidence[i].facts for i in cited if i.startswith("run.")]
    counts = [(f["rows_valid"], f["rows_excluded"]) for f in runs]
    known = [(v, x) for v, x in counts if isinstance(v, int) and isinstance(x, int) and v + x > 0]
    if finding is None or not known:
        return Cell("unknown", status=finding.status if finding else None)
    valid, bad = (sum(column) for column in zip(*known, strict=True))
    share = "all" if bad == 0 else percent(valid / (valid + bad))
    return Cell(share, status=finding.status, note=f"of {valid + bad:,}".replace(",", " "))


def _status(finding: Finding | None, _: Rows) -> Cell:
    return Cell("", status=finding.status) if finding else Cell("unknown")


def _estimates(
    finding: Finding | None, evidence: Mapping[str, Evidence], end: str
) -> Sequence[float]:
    cited = [evidence[i] for i in (finding.evidence if finding else []) if i.endswith(end)]
    return [e.estimate for e in cited if e.estimate is not None]


COLUMNS: Sequence[tuple[str, str, MakeCell]] = (
    ("Accuracy", "answers", _range),
    ("Entropy of the last row", "sinks", _entropy),
    ("Sink mass", "sinks", _range),
    ("Think step by step", "steps", _answered),
    ("Examples draw attention", "examples", _answered),
    ("Rows valid", "capture", _rows),
    ("Verdict", "verdict", _status),
)
"""Title of a column, the predicate it is about, and how its cells are made."""
