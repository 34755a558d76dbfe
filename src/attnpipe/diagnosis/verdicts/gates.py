"""From evidence to the answers that the decision table asks for."""

from collections.abc import Iterable, Mapping

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import gate, margin_gate, skill_gate, use_gate
from attnpipe.diagnosis.schema import Evidence, GateRow, Status
from attnpipe.diagnosis.verdicts.table import Answer, Gates

INTERVENTIONS = {
    "E1": "Is its output used?",
    "E2": "Do unequal weights matter?",
    "E3": "Does the content matter, beyond the position?",
    "E4": "Does it matter whose weights they are?",
}
ARMS = {
    "R0": "Is it better than a model trained without attention?",
    "R1": "Is it better than one trained with equal weights?",
    "R2": "Is it better than one trained with weights per position?",
}

ABSENT: dict[str, Answer] = dict.fromkeys((*INTERVENTIONS, *ARMS), "absent")
"""Answers before there is evidence."""

FINETUNED = {"E2": "F2", "E3": "F3"}
"""Gates whose cost a short training may make up for → code of what is left of it."""


def evidence_of(case: Case) -> dict[str, Evidence]:
    """Return code → effect in units of skill, for the codes that have a value."""
    found = {code: case.book.get(f"causal.{case.name}.{code}") for code in (*INTERVENTIONS, *ARMS)}
    return {c: e for c, e in found.items() if e is not None and e.estimate is not None}


def no_share(case: Case, codes: Iterable[str]) -> list[str]:
    """Return the codes whose effect was measured and is no share of a skill: there is none."""
    found = {code: case.book.get(f"causal.{case.name}.{code}") for code in codes}
    return [c for c, e in found.items() if e is not None and e.estimate is None and e.n_seeds]


def left_after_finetune(case: Case, code: str) -> tuple[Evidence, Status] | None:
    """Return what a gate's cost comes to after a short training, and whether that exceeds δ.

    None where the model was not trained further, or not at every seed: those that diverged would
    be missing.
    """
    if code not in FINETUNED:
        return None
    frozen, left = (case.book.get(f"causal.{case.name}.{c}") for c in (code, FINETUNED[code]))
    if frozen is None or left is None or left.n_seeds != frozen.n_seeds:
        return None
    return left, use_gate(left, case.context.delta)


def gate_of(code: str, evidence: Evidence, margin: float) -> Status:
    """Return the answer of one gate: of interventions, that it is not used; of arms, either way."""
    return (use_gate if code in INTERVENTIONS else margin_gate)(evidence, margin)


def gates_at(case: Case, evidence: Mapping[str, Evidence], margin: float) -> Gates:
    """Return all gates of a model at a margin."""
    answers = ABSENT | {c: _answer(gate_of(c, e, margin)) for c, e in evidence.items()}
    captured, sharp = case.found.get("extraction"), case.found.get("sharpness")
    skill = case.book.get(f"skill.{case.name}")
    return Gates(
        valid="?" if captured is None else _answer(captured.status),
        skill="?" if skill is None else _answer(skill_gate(skill, margin)),
        D="?" if sharp is None else _answer(sharp.status),
        **answers,
    )


def seed_gates(case: Case, gates: Gates, margin: float) -> dict[str, Gates]:
    """Return seed → gates by that seed's effects alone, taken as if they were exact.

    What is known over seeds only (validity, skill, sharpness) is that of the model.
    """
    found: dict[str, dict[str, Answer]] = {}
    for evidence in case.of_model("causal_seed"):
        _, _, code, seed = evidence.id.split(".")
        if evidence.estimate is not None:
            found.setdefault(seed, {})[code] = _exact(code, evidence.estimate, margin)
    known = {f: getattr(gates, f) for f in ("valid", "skill", "D")}
    known |= {code: "absent" for code in ABSENT if getattr(gates, code) == "absent"}
    return {seed: Gates(**(known | answers)) for seed, answers in found.items()}


def gate_rows(case: Case, evidence: Mapping[str, Evidence], margin: float) -> list[GateRow]:
    """Return the table of gates, those without evidence included."""
    rows = []
    for code, question in (INTERVENTIONS | ARMS).items():
        e = evidence.get(code)
        if e is None:
            rows.append(GateRow(code=code, question=question, status="INCONCLUSIVE"))
            continue
        rows.append(
            GateRow(
                code=code,
                question=question,
                status=gate_of(code, e, margin),
                effect=e.estimate,
                lo95=e.lo95,
                hi95=e.hi95,
                n_seeds=e.n_seeds,
                n_units=e.n_units,
                p_null=_number(e, "p"),
                p_claim_holm=_number(e, _claim(code, e, margin)),
                parameters=_parameters(case, e),
                evidence=e.id,
            )
        )
    return rows


def decided_by_ratio(code: str, evidence: Evidence, margin: float) -> bool:
    """Whether an intervention's gate is YES by the ratio of losses, not by their difference."""
    return (
        code in INTERVENTIONS
        and use_gate(evidence, margin) == "YES"
        and gate(evidence, margin) != "YES"
    )


def _claim(code: str, evidence: Evidence, margin: float) -> str:
    by_ratio = decided_by_ratio(code, evidence, margin)
    return "log_of_means_p_claim_holm" if by_ratio else "p_claim_holm"


def runs_compared(case: Case, evidence: Evidence) -> tuple[Evidence, Evidence] | None:
    """Return a run of the model trained anew and one of the model; None for interventions."""
    arm, model = (
        case.book.about("run", str(m)) for m in (evidence.facts.get("against"), case.name)
    )
    return (arm[0], model[0]) if arm and model else None


def _parameters(case: Case, evidence: Evidence) -> tuple[int, int] | None:
    pair = runs_compared(case, evidence)
    sizes = [] if pair is None else [run.facts.get("parameters") for run in pair]
    known = [size for size in sizes if isinstance(size, int)]
    return (known[0], known[1]) if len(known) == 2 else None


def _number(evidence: Evidence, fact: str) -> float | None:
    value = evidence.facts.get(fact)
    return float(value) if isinstance(value, int | float) else None


def _answer(status: Status) -> Answer:
    known: dict[Status, Answer] = {"YES": "YES", "NO": "NO", "HARM": "HARM"}
    return known.get(status, "?")


def _exact(code: str, value: float, margin: float) -> Answer:
    if value > margin:
        return "YES"
    return "HARM" if code in ARMS and value < -margin else "NO"
