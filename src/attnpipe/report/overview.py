"""One row per model: what decides, at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from attnpipe.diagnosis.schema import Diagnosis, Evidence, Finding, ModelEntry, Status
from attnpipe.diagnosis.words import number

COLUMNS = (
    "Model", "Skill", "Gain over baseline", "Entropy of rows", "Seeds alike", "Runs", "Verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell of the overview: a number, its interval, its status and a remark, if any.

    `chip` is what stands for the status, if not its own word.
    """

    text: str
    interval: str = ""
    status: Status | None = None
    note: str = ""
    chip: str = ""


@dataclass(frozen=True)
class Overview:
    """Names of the columns, the model's first, and the cells of each model's others."""

    columns: Sequence[str]
    rows: Sequence[tuple[ModelEntry, Sequence[Cell]]]


def overview(diagnosis: Diagnosis) -> Overview:
    """Return the overview of a study of trained models or of saved weights."""
    by_id = {f.id: f for f in diagnosis.findings}
    evidence = {e.id: e for e in diagnosis.evidence}
    rows = [(m, _row(m, by_id, evidence)) for m in diagnosis.models]
    return Overview(COLUMNS, rows)


def _row(
    model: ModelEntry,
    findings: Mapping[str, Finding],
    evidence: Mapping[str, Evidence],
) -> list[Cell]:
    of = {f.predicate: f for f in findings.values() if f.model == model.name}
    if not model.attention:
        none = Cell("–")
        return [cell_of(of.get("skill")), none, none, none, _runs(of, evidence), none]
    profile = evidence.get(f"metric.{model.name}.profile_entropy_normalized")
    said = of.get("published_entropy")
    note = ""
    if profile is not None and profile.estimate is not None:
        note = f"profile {number(profile.estimate)}"
        if said is not None and said.as_published:
            note += f", published as “{said.as_published}”"
    rows = replace(cell_of(said), status=None, note=note)
    return [
        cell_of(of.get("skill")),
        cell_of(of.get("gain"), sign=True),
        rows,
        cell_of(of.get("stability")),
        _runs(of, evidence),
        _verdict(of.get("verdict")),
    ]


def cell_of(finding: Finding | None, *, sign: bool = False) -> Cell:
    """Return a finding's estimate with its interval, or its range over heads, and its answer."""
    if finding is None:
        return Cell("unknown")
    if finding.effect is None and finding.effect_range is not None:
        low, high = finding.effect_range
        of_heads = f"{number(low, sign=sign)} to {number(high, sign=sign)} over heads"
        return Cell(of_heads, status=finding.status)
    interval = ""
    if finding.lo95 is not None and finding.hi95 is not None:
        interval = f"[{number(finding.lo95)}, {number(finding.hi95)}]"
    return Cell(number(finding.effect, sign=sign), interval, finding.status)


def _verdict(finding: Finding | None) -> Cell:
    if finding is None:
        return Cell("unknown")
    flags = ", ".join(finding.flags).lower().replace("-", " ")
    return Cell("", status=tone(finding), note=flags, chip=finding.diagnosis or "")


def tone(finding: Finding) -> Status:
    """Return the status whose colour a verdict takes: good, bad, or neither."""
    tones: Mapping[str | None, Status] = {"CONTENT-BENEFICIAL": "YES", "HARMFUL": "HARM"}
    return tones.get(finding.diagnosis, "NO" if finding.status == "YES" else finding.status)


def _runs(of: Mapping[str, Finding], evidence: Mapping[str, Evidence]) -> Cell:
    """Return how many runs count: those that ended well and are no copy of another."""
    runs = of.get("runs")
    if runs is None or runs.missing:
        return Cell("unknown", status=runs.status if runs else None)
    found = [evidence[i].facts for i in runs.evidence]
    good = [f for f in found if f["outcome"] == "ok" and f["identical_to"] is None]
    return Cell(f"{len(good)} of {len(found)}", status=runs.status)
