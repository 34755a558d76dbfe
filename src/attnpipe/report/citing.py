"""How much of the evidence stands beside a sentence: not ten thousand runs."""

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
