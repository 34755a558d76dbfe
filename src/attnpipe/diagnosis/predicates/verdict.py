"""The diagnosis of a model: all gates together."""

from collections.abc import Mapping, Sequence
from math import inf

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding, GateRow
from attnpipe.diagnosis.verdicts.advice import next_runs, runs_to_agree
from attnpipe.diagnosis.verdicts.flags import flags
from attnpipe.diagnosis.verdicts.gates import (
    evidence_of,
    gate_rows,
    gates_at,
    runs_compared,
    seed_gates,
)
from attnpipe.diagnosis.verdicts.table import Answer, Decision, Gates, Name, decide
from attnpipe.diagnosis.verdicts.texts import MEANS, recommendation, rivals
from attnpipe.diagnosis.words import listed

RESTS_ON = ("extraction", "skill", "sharpness", "stability", "convergence")
FIRST = {"valid": "extraction", "skill": "skill"}
"""Gates that come before all others → the predicates that answer them."""


def verdict(case: Case) -> Finding:
    """Name what attention is good for, or what keeps that from being known."""
    delta, evidence = case.context.delta, evidence_of(case)
    gates = gates_at(case, evidence, delta)
    found = decide(gates)
    rows = gate_rows(case, evidence, delta)
    raised = flags(case, {row.code: row for row in rows}, seed_gates(case, gates, delta))
    told = [case.found[p] for p in RESTS_ON if p in case.found]
    cited = [*evidence.values(), *(case.book[i] for f in told for i in f.evidence)]
    cited += [run for e in evidence.values() for run in runs_compared(case, e) or ()]
    cited += [case.book[i] for flag in raised.values() for i in flag.evidence]
    # Without valid rows and skill no other gate has a meaning.
    first = next((f for f in FIRST if f in found.blocking), None)
    if first is not None:
        overrides, missing = _first(case, first)
    elif found.conflict:
        overrides, missing = runs_to_agree(case, evidence)
    else:
        overrides, missing = next_runs(case, evidence, found.blocking)
    if "SHORT-TRAINING" in raised and found.name == "HARMFUL":
        longer = case.found["training"]
        overrides, missing = longer.next_overrides, [*missing, *longer.missing]
    others = rivals(gates, evidence) if found.name == "HARMFUL" else ""
    status = {"INVALID": "INVALID", "INCONCLUSIVE": "INCONCLUSIVE"}.get(found.name, "YES")
    return case.answer(
        status,  # type: ignore[arg-type]
        f"{MEANS[found.name]}{others}{_open(found, rows)}",
        cited,
        effect=_decisive(case, found, gates, evidence),
        missing=missing,
        diagnosis=found.name,
        recommendation=recommendation(
            found.name,
            gates,
            short="SHORT-TRAINING" in raised,
            runnable=case.forecasts,
            conflict=found.conflict,
        ),
        gates=rows,
        flags=raised,
        at_margins={
            f"{m:g}": decide(gates_at(case, evidence, m)).name for m in case.context.margins
        },
        next_overrides=overrides,
    )


DECISIVE: dict[Name, tuple[str, ...]] = {
    "SHARP-BUT-UNUSED": ("E1",), "IDLE-UNIFORM": ("E1",), "UNUSED": ("E1",),
    "AVERAGING": ("E2",), "POSITIONAL": ("E2",),
}  # fmt: skip
"""Diagnosis → the gate whose effect is its headline; of the others it is that of an arm."""
ARM_ANSWERS: dict[Name, Answer] = {"HARMFUL": "HARM", "CONTENT-REDUNDANT": "NO"}
"""Diagnosis → the answer of an arm that made it."""


def _decisive(
    case: Case, found: Decision, gates: Gates, evidence: Mapping[str, Evidence]
) -> Evidence | None:
    """Return the effect that decided: of a gate, of the arm that gave the answer, or skill."""
    if found.name in ("INVALID", "NO-SKILL"):
        return case.book.get(f"skill.{case.name}")
    answer = ARM_ANSWERS.get(found.name)
    arms = [arm for arm in ("R0", "R1") if answer in (None, getattr(gates, arm))]
    if found.name == "CONTENT-BENEFICIAL":  # the arm that comes closer to the model
        arms.sort(key=lambda arm: _estimate(evidence, arm))
    wanted = (*DECISIVE.get(found.name, ()), *found.blocking, *arms)
    return next((evidence[code] for code in wanted if code in evidence), None)


def _estimate(evidence: Mapping[str, Evidence], code: str) -> float:
    one = evidence.get(code)
    return inf if one is None or one.estimate is None else one.estimate


def _first(case: Case, gate: str) -> tuple[list[str], list[str]]:
    """Return what settles a gate that comes before all others."""
    found = case.found.get(FIRST[gate])
    words = {"valid": f"attention of {case.label}", "skill": f"skill of {case.label}"}[gate]
    if found is None:
        return [], [words]
    return found.next_overrides, [words, *found.missing]


def _open(found: Decision, rows: Sequence[GateRow]) -> str:
    if found.name != "INCONCLUSIVE":
        return ""
    if found.conflict:  # only E3 and E4 can contradict each other: `decide`
        settled = all(row.status in ("YES", "NO", "HARM") for row in rows)
        return (
            f"{' All gates have an answer, but' if settled else ''} E3 and E4 contradict each "
            "other: no diagnosis fits both."
        )
    if found.blocking == ("R2",):
        return f" Open: R2, on which what to do about {listed(list(found.possible), 9)} rests."
    many = len(found.possible) > 1
    return (
        f" Open: {listed(list(found.blocking), 9)}; an answer would lead to "
        f"{'one of ' if many else ''}{listed(list(found.possible), 9)}"
        f"{'.' if many else ', or show a conflict.'}"
    )
