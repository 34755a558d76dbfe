"""What to run next, as overrides that can be pasted."""

from collections.abc import Mapping, Sequence

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import ENOUGH, number_of_seeds
from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.verdicts.gates import ARMS, INTERVENTIONS, gate_of, no_share
from attnpipe.diagnosis.words import finetune, listed

NAMES = {"E1": "output_mean", "E2": "uniform", "E3": "position_mean", "E4": "permuted"}
ARM_NAMES = {"R0": "none", "R1": "uniform", "R2": "static"}
COPY = "an arm of its own: it agrees with the model in every bit, one run under two names"
USUAL_SEEDS = 10
"""Seeds with which answers that contradict each other are asked again."""
USUAL_FINETUNE = 0.1
"""Share of the steps of a fine-tune that confirms what E3 costs."""
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
    measured = no_share(case, blocking)
    if measured:
        words.append(f"skill above 0: {listed(measured, 9)} cannot be told as a share of it")
    absent = [code for code in blocking if code not in evidence and code not in measured]
    if arms := [ARM_NAMES[c] for c in absent if c in ARMS]:
        wanted = sorted(
            {*case.context.arms.get(case.name, ()), *arms}, key=list(ARM_NAMES.values()).index
        )
        if case.name in case.context.label_nulls:
            wanted.append("shuffled_labels")
        # A model of the user's own may have no such key: ++ sets it and adds it.
        overrides.append(f"++models.{case.name}.arms=[{','.join(wanted)}]")
        words += [
            f"{code}: arm '{ARM_NAMES[code]}', trained anew" for code in absent if code in ARMS
        ]
    if any(c in INTERVENTIONS for c in absent):
        names = dict.fromkeys([*case.context.interventions, *NAMES.values()])
        overrides.append(f"intervention.names=[{','.join(names)}]")
        words += [f"{c}: intervention '{NAMES[c]}'" for c in absent if c in INTERVENTIONS]
    number, text = _seeds_needed(case, evidence, [c for c in blocking if c in evidence])
    return overrides + more_seeds(case, number), words + text


def runs_to_agree(case: Case, evidence: Mapping[str, Evidence]) -> tuple[list[str], list[str]]:
    """Return overrides that ask E3 and E4 again where they contradict each other, and words.

    More seeds, where there are fewer than is usual, may change either answer. Mean rows may cost
    something for the sole reason that the model never saw such rows: a fine-tune tells.

    Parameters
    ----------
    case
        About a model.
    evidence
        Code → effect, with E3 and E4.
    """
    overrides, words = [], []
    have = min(evidence[code].n_seeds or 0 for code in ("E3", "E4"))
    if have < USUAL_SEEDS:
        overrides += more_seeds(case, USUAL_SEEDS + _lost(case, have))
        words.append(f"E3 and E4: {USUAL_SEEDS} seeds (there are {have})")
    if gate_of("E3", evidence["E3"], case.context.delta) == "YES" and not case.context.finetune:
        overrides.append(f"intervention.finetune={USUAL_FINETUNE:g}")
        words.append(f"E3: what is left of its cost after a {finetune(USUAL_FINETUNE)}")
    return overrides, words or ["E3 and E4: other test data; more seeds will hardly settle it"]


def more_seeds(case: Case, number: int) -> list[str]:
    """Return the override that brings the study to so many seeds; none if it has them."""
    seeds = list(case.context.seeds)
    if number <= len(seeds) or number > MOST_SEEDS:
        return []
    fresh = (s for s in range(2**16) if s not in case.context.seeds)
    seeds += [next(fresh) for _ in range(number - len(seeds))]
    return [f"seeds=[{','.join(map(str, seeds))}]"]


def settling_seeds(case: Case, evidence: Evidence, *thresholds: float) -> list[str]:
    """Return the override for the seeds that would settle what evidence leaves open.

    Seeds whose run gave no evidence are added to those that are needed. None where nothing can
    be run, where seeds are not what is few and no threshold says how many more would do, or where
    no such number can be told.
    """
    if not case.forecasts or not case.replicates or evidence.n_seeds is None:
        return []
    have, wanted = evidence.n_seeds, None
    if have < ENOUGH:
        wanted = ENOUGH
    elif thresholds:
        wanted = number_of_seeds(evidence, *thresholds)
    return [] if wanted is None else more_seeds(case, wanted + _lost(case, have))


def _lost(case: Case, have: int) -> int:
    """Return how many seeds of the study gave no evidence, where so many did."""
    return max(0, len(case.context.seeds) - have)


def _seeds_needed(
    case: Case, evidence: Mapping[str, Evidence], blocking: Sequence[str]
) -> tuple[int, list[str]]:
    """Return how many seeds, with those that are lost, settle all gates that seeds can settle.

    And words for each gate.
    """
    most, words = 0, []
    for code in blocking:
        if evidence[code].facts.get("copies"):
            words.append(f"{code}: {COPY}")
            continue
        n = evidence[code].facts.get("seeds_needed")
        have = evidence[code].n_seeds or 0
        if not isinstance(n, int) or n > MOST_SEEDS:
            words.append(f"{code}: more test data; seeds alone will hardly settle it")
        else:
            n = max(n, have + 1, 5)
            most = max(most, n + _lost(case, have))
            words.append(f"{code}: about {n} seeds (there are {have})")
    return most, words
