"""Whether a model forecasts at all."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import seeds_needed, skill_gate, undecided
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.diagnosis.words import estimate, sample


def skill(case: Case) -> Finding | None:
    """YES: the interval of 1 − error / error of the best trivial predictor lies above 0.

    NO: it lies below δ, so that what skill there may be is of no use.
    """
    found = case.book.get(f"skill.{case.name}")
    if found is None and not case.forecasts:
        return None
    if found is None or found.estimate is None:
        return case.lacking(
            "There is no score of its forecasts.", [f"forecasts of {case.label} on the test split"]
        )
    delta = case.context.delta
    status = skill_gate(found, delta)
    says = f"Skill {estimate(found)} over the best trivial predictor {sample(found)}"
    attends = case.name in case.context.attention_models
    end = {
        "YES": "its errors are smaller.",
        "NO": _without(found, delta)
        + (": its attention must not be interpreted." if attends else "."),
        "DESCRIPTIVE": case.untested,
    }.get(status, undecided(found, 0.0))
    missing = case.few_seeds(found)
    if status == "INCONCLUSIVE" and not missing:
        missing = seeds_needed(found, 0.0)
    is_open = status in ("INCONCLUSIVE", "DESCRIPTIVE")
    return case.answer(
        status,
        f"{says}: {end}",
        [found],
        effect=found,
        missing=missing,
        next_overrides=settling_seeds(case, found, 0.0) if is_open else [],
    )


def _without(found: Evidence, delta: float) -> str:
    """Say what a model without skill is like."""
    if found.hi95 is not None and found.hi95 < 0:
        return "its errors are larger"
    return f"its skill is below δ = {delta:g}, that is, practically none"
