"""How much of the evidence stands beside one sentence: not a thousand seeds."""

from collections.abc import Iterator, Sequence

from attnpipe.diagnosis.schema import Diagnosis, Evidence, Finding
from attnpipe.diagnosis.words import thousands

MOST = 200
"""Rows that a sentence names; `diagnosis.json` names all."""


def cited(ids: Sequence[str]) -> str:
    """Return the first ids of evidence, and how many more there are."""
    named = ", ".join(ids[:MOST])
    more = len(ids) - MOST
    return named if more <= 0 else f"{named} and {thousands(more)} more, in diagnosis.json"


def foremost(diagnosis: Diagnosis) -> Diagnosis:
    """Return a diagnosis in which runs that failed or are copies come before all others.

    Only where a sentence rests on more rows than it names.
    """
    unusual = {e.id for e in diagnosis.evidence if _is_unusual(e)}
    findings = [
        finding.model_copy(
            update={"evidence": sorted(finding.evidence, key=lambda i: i not in unusual)}
        )
        if len(finding.evidence) > MOST
        else finding
        for finding in diagnosis.findings
    ]
    return diagnosis.model_copy(update={"findings": findings})


def _is_unusual(run: Evidence) -> bool:
    failed = run.facts.get("outcome", "ok") != "ok"
    return failed or run.facts.get("identical_to") is not None


def named_in(diagnosis: Diagnosis) -> list[Evidence]:
    """Return the evidence without what stands beyond the first rows of every sentence."""
    lists = [ids for finding in diagnosis.findings for ids in _lists(finding)]
    beyond = {e for ids in lists for e in ids[MOST:]}
    beyond -= {e for ids in lists for e in ids[:MOST]}
    return [e for e in diagnosis.evidence if e.id not in beyond]


def _lists(finding: Finding) -> Iterator[Sequence[str]]:
    yield finding.evidence
    yield from (flag.evidence for flag in finding.flags.values())
    yield [gate.evidence for gate in finding.gates if gate.evidence]
