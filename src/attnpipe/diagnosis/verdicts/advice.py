"""What to run next, as overrides that can be pasted."""

from collections.abc import Mapping, Sequence

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.verdicts.gates import ARMS, INTERVENTIONS

NAMES = {"E1": "output_mean", "E2": "uniform", "E3": "position_mean", "E4": "permuted"}
ARM_NAMES = {"R0": "none", "R1": "uniform", "R2": "static"}
MOST_SEEDS = 100
"""More seeds than this are not asked for: more test data would help more."""


def next_runs(
    case: Case, evidence: Mapping[str, Evidence], blocking: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return overrides to run next, and in words what is missing.

    Parameters
    ----------
    case
        About a model.
    evidence
        Code → effect.
    blocking
        Gates that need an answer.
    """
    if not case.forecasts:  # weights without their model: nothing can be run
        return [], [f"{code}: the model itself, not its saved weights" for code in blocking]
    overrides, words = [], []
    absent = [code for code in blocking if code not in evidence]
    if arms := [ARM_NAMES[c] for c in absent if c in ARMS]:
        wanted = sorted(
            {*case.context.arms.get(case.name, ()), *arms}, key=list(ARM_NAMES.values()).index
        )
        overrides.append(f"models.{case.name}.arms=[{','.join(wanted)}]")
        words += [
            f"{code}: arm '{ARM_NAMES[code]}', trained anew" for code in absent if code in ARMS
        ]
    if any(c in INTERVENTIONS for c in absent):
        overrides.append(f"intervention.names=[{','.join(NAMES.values())}]")
        words += [f"{c}: intervention '{NAMES[c]}'" for c in absent if c in INTERVENTIONS]
    needed = _seeds_needed(case, evidence, [c for c in blocking if c in evidence])
    if needed:
        wanted_seeds, text = needed
        words += text
        if wanted_seeds:
            overrides.append(f"seeds=[{','.join(map(str, wanted_seeds))}]")
    return overrides, words


def _seeds_needed(
    case: Case, evidence: Mapping[str, Evidence], blocking: Sequence[str]
) -> tuple[list[int], list[str]] | None:
    """Return the seeds that would settle all gates that seeds can settle, and words for each."""
    if not blocking:
        return None
    most, words = 0, []
    for code in blocking:
        n = evidence[code].facts.get("seeds_needed")
        have = evidence[code].n_seeds or 0
        if not isinstance(n, int) or n > MOST_SEEDS:
            words.append(f"{code}: more test data; seeds alone will hardly settle it")
        else:
            n = max(n, have + 1, 5)
            most = max(most, n)
            words.append(f"{code}: about {n} seeds (there are {have})")
    seeds = list(case.context.seeds)
    fresh = (s for s in range(2**16) if s not in case.context.seeds)
    return (
        seeds + [next(fresh) for _ in range(most - len(seeds))] if most > len(seeds) else []
    ), words
