"""Whether attention pays: the model against its baseline."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import (
    DESCRIBE,
    equivalence_interval,
    margin_gate,
    seeds_needed,
    undecided,
)
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.diagnosis.words import estimate, named, number, sample


def gain(case: Case) -> Finding | None:
    """YES, HARM or NO at the practical margin δ, and what other margins would say.

    The gain is in skill units: error removed by attention as a share of what the model
    removes from the best trivial forecast. It means nothing where the model has no skill.
    """
    baseline = case.context.baselines.get(case.name)
    if baseline is None and not case.forecasts:
        return None
    if baseline is None:
        return case.lacking("No baseline is named.", ["a baseline without attention"])
    base = case.context.labels.get(baseline, baseline)
    found = case.book.get(f"gain.{case.name}.skill_units")
    skill = case.book.get(f"skill.{case.name}")
    in_loss = case.book.get(f"gain.{case.name}.loss")
    if found is not None and found.estimate is None and in_loss and in_loss.estimate is not None:
        return case.lacking(
            f"There is no positive skill to measure a gain by; in loss, the gain over {base} is "
            f"{estimate(in_loss, sign=True)} {sample(in_loss)}.",
            [f"positive skill of {case.label}"],
            [e for e in (found, skill, in_loss) if e is not None],
        )
    if found is None or skill is None or found.estimate is None or found.n_seeds is None:
        return case.lacking(
            f"There is no comparison with {base}.",
            [f"forecasts of {case.label} and {base} for the same seeds"],
            [e for e in (found, skill) if e is not None],
        )
    evidence = [found, skill]
    skilled = case.found.get("skill")
    if found.n_seeds >= DESCRIBE and (skilled is None or skilled.status != "YES"):
        sentence = (
            f"The model's skill {estimate(skill)} is not shown to be above 0 "
            f"{sample(skill)}: {undecided(skill, 0.0)} A gain in units of such a skill means "
            "nothing."
        )
        return case.lacking(
            sentence,
            [f"skill of {case.label}"],
            evidence,
            effect=found,
            next_overrides=[] if skilled is None else skilled.next_overrides,
        )
    delta = case.context.delta
    status = margin_gate(found, delta)
    return case.answer(
        status,
        f"Gain {estimate(found, sign=True)} of its skill over {base} {sample(found)}: "
        f"{_meaning(status, found, delta)}",
        evidence,
        effect=found,
        sensitivity={f"{m:g}": margin_gate(found, m) for m in case.context.margins},
        **_missing(case, status, found, delta),
    )


def _meaning(status: Status, found: Evidence, delta: float) -> str:
    margin = f"δ = {delta:g}"
    if status == "YES":
        return f"better by more than {margin}."
    if status == "HARM":
        return f"worse by more than {margin}."
    if status == "NO":
        low, high = equivalence_interval(found)
        differs = found.lo95 is not None and found.hi95 is not None and found.lo95 * found.hi95 > 0
        more = " The difference is not zero, but too small to matter." if differs else ""
        return (
            f"no practical difference, as [{number(low)}, {number(high)}] lies inside "
            f"±{delta:g}.{more}"
        )
    if status == "DESCRIPTIVE":
        return "too few seeds to test it."
    if found.lo95 is not None and found.lo95 > 0:
        return f"better, but whether by more than {margin} is undecided."
    if found.hi95 is not None and found.hi95 < 0:
        return f"worse, but whether by more than {margin} is undecided."
    return f"undecided at {margin}: neither a difference nor its absence is shown."


def _missing(case: Case, status: Status, found: Evidence, delta: float) -> dict[str, list[str]]:
    if status not in ("INCONCLUSIVE", "DESCRIPTIVE"):
        return {}
    return {
        "missing": case.few_seeds(found) or seeds_needed(found, delta, -delta),
        "next_overrides": settling_seeds(case, found, delta, -delta),
    }


def heterogeneity(case: Case) -> Finding | None:
    """YES: each seed alone would say the same at δ; NO: they differ (flag HETEROGENEOUS).

    The question does not arise without a baseline, or where nothing was forecast.
    """
    baseline = case.context.baselines.get(case.name)
    if baseline is None or not _forecast(case, case.name, baseline):
        return None
    unit = case.book.get(f"gain.{case.name}.loss")
    margin = None if unit is None else unit.facts["margin"]
    runs = [case.book.get(f"run.{case.name}.{seed}") for seed in case.context.seeds_of(case.name)]
    expected = [
        int(str(e.row["seed"]))
        for e in runs
        if e and e.facts["outcome"] == "ok" and e.facts["identical_to"] is None
    ]
    wanted = [(f"score.{m}.{s}.loss", s) for s in expected for m in (case.name, baseline)]
    scores = {i: case.book[i] for i, _ in wanted if i in case.book}
    missing = [i.removeprefix("score.") for i, _ in wanted if i not in scores]
    evidence = [*scores.values(), *([unit] if unit is not None else [])]
    if unit is None or not isinstance(margin, float) or missing or not expected:
        lacking = [f"score of {i}" for i in missing] or ["δ in units of the error: needs skill"]
        return case.lacking("Gains of single seeds are not all known.", lacking, evidence)
    verdicts: dict[str, list[str]] = {}
    for seed in expected:
        mine, theirs = (scores[f"score.{m}.{seed}.loss"].estimate for m in (case.name, baseline))
        if mine is None or theirs is None:
            return case.lacking("A score is undefined.", [f"score of seed {seed}"], evidence)
        verdicts.setdefault(_side(theirs - mine, margin), []).append(f"{seed}")
    said = "; ".join(f"{side} for {named('seed', s, 10)}" for side, s in sorted(verdicts.items()))
    status: Status = "YES" if len(verdicts) == 1 else "NO"
    if len(expected) < DESCRIBE:
        status = "DESCRIPTIVE"
    return case.answer(
        status,
        f"Judged seed by seed at δ, the model is {said}.",
        evidence,
        effect=case.share(max(map(len, verdicts.values())), len(expected)),
        missing=case.few_seeds(unit) if status == "DESCRIPTIVE" else [],
        next_overrides=settling_seeds(case, unit) if status == "DESCRIPTIVE" else [],
    )


def _forecast(case: Case, *models: str) -> bool:
    """Whether there is a score of any seed of any of the models."""
    return any(case.book.about("score", model) for model in models)


def _side(difference: float, margin: float) -> str:
    if difference > margin:
        return "better"
    return "worse" if difference < -margin else "practically equal"
