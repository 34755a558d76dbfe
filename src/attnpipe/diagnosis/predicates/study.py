"""The study as a whole."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from attnpipe.diagnosis.book import Case, Count
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.verdicts.gates import ARMS, INTERVENTIONS, no_share
from attnpipe.diagnosis.words import count, every, listed, named

ALL = (*INTERVENTIONS, *ARMS)
SAYS = {
    "YES": "better than its baseline by more than δ",
    "HARM": "worse by more than δ",
    "NO": "no practical difference",
    "DESCRIPTIVE": "too few seeds to test",
    "INCONCLUSIVE": "undecided",
}


def answer(case: Case) -> Finding:
    """Count the models by their gain, and say what is not known of any."""
    gains = [f for f in case.found.values() if f.predicate == "gain"]
    if not gains and case.context.attention_models:
        return case.lacking(
            "Whether attention helps cannot be told from weights alone.",
            ["forecasts of the models and of their baselines"],
        )
    if not gains:
        return case.lacking("No model of this study has attention.", ["a model with attention"])
    counts = {
        status: [case.context.labels[f.model] for f in gains if f.status == status and f.model]
        for status in SAYS
    }
    said = "; ".join(
        f"{SAYS[status]}: {len(of)} ({listed(of)})" for status, of in counts.items() if of
    )
    settled, on_settling = _settling(case, [f.model for f in gains])
    verdicts = [f for f in case.found.values() if f.predicate == "verdict"]
    unknown = sorted(c for c in ALL if _absent(case, c, verdicts))
    shareless = [f for f in verdicts if f.model and no_share(replace(case, model=f.model), ALL)]
    sentence = f"Of {count(len(gains), 'model')} with attention — {_diagnoses(case, verdicts)}."
    if any(case.context.baselines.get(f.model) for f in gains if f.model):
        sentence += f" Against their baselines — {said}{settled}."
    if unknown:
        sentence += (
            " Whether attention is used, and whether it helps, is not known of every model: "
            f"{_causal(unknown)} are missing."
        )
    if shareless:
        of = "the model" if len(verdicts) == 1 else f"{len(shareless)} of these models"
        sentence += (
            f" What attention costs or gains {of} is no share of a skill, which is not above 0: "
            "it is told in the unit of the loss alone (`effects.csv`)."
        )
    cited = [case.book[i] for f in [*gains, *verdicts, *on_settling] for i in f.evidence]
    missing = [f"interventions and arms {', '.join(unknown)}"] if unknown else []
    missing = missing or sorted({line for f in verdicts for line in f.missing})
    size = Count(float(len(counts["YES"])), "models better than their baseline")
    if all(f.status in ("INCONCLUSIVE", "DESCRIPTIVE") for f in [*gains, *verdicts]):
        return case.lacking(sentence, missing, cited, effect=size)
    return case.answer("DESCRIPTIVE", sentence, cited, effect=size, missing=missing)


def _absent(case: Case, code: str, verdicts: Sequence[Finding]) -> bool:
    """Whether what a gate asks for was measured of not every model."""
    return any(
        gate.evidence is None and not no_share(replace(case, model=f.model), [code])
        for f in verdicts
        for gate in f.gates
        if gate.code == code
    )


def _diagnoses(case: Case, verdicts: Sequence[Finding]) -> str:
    """Return the models by their diagnosis, in the order of the config."""
    by_name: dict[str, list[str]] = {}
    for f in verdicts:
        if f.model is not None:
            by_name.setdefault(f.diagnosis or f.status, []).append(case.context.labels[f.model])
    return "; ".join(f"{name}: {len(of)} ({listed(of)})" for name, of in by_name.items())


def _causal(codes: Sequence[str]) -> str:
    """Spell out which kinds of causal evidence the codes E1–E4 and R0–R2 stand for."""
    kinds = {"E": "interventions on frozen weights", "R": "arms trained anew"}
    said = []
    for letter, kind in kinds.items():
        of = [code for code in codes if code.startswith(letter)]
        if of:
            said.append(f"{kind} ({', '.join(of)})")
    return " and ".join(said)


def gaps(case: Case) -> Finding:
    """YES: every run of every model ended well; otherwise the gaps are named."""
    failures = [f"{failure}." for failure in case.context.failures]
    of_runs = [f for f in case.found.values() if f.predicate == "runs"]
    cited = [case.book[i] for f in of_runs for i in f.evidence]
    ended = _ended(case)
    size = Count(sum(ended) / len(ended), "share of runs") if ended else None
    arms = _of_arms(case)
    cited += arms
    failed = [e for e in arms if e.facts["outcome"] != "ok"]
    if all(f.status == "YES" for f in of_runs) and not failures and not failed:
        of_arms = f", and the {count(len(arms), 'run')} of arms on record," if arms else ""
        sentence = f"{every(len(ended), 'run').capitalize()}{of_arms} ended well."
        return case.answer("YES", sentence, cited, effect=size)
    said = " ".join([*_grouped(case), *_failed_arms(failed), *failures])
    lost = [m for f in of_runs if f.status == "INCONCLUSIVE" for m in f.missing]
    if lost:
        return case.lacking(said, lost, cited, effect=size)
    return case.answer("NO", said, cited, effect=size)


def _of_arms(case: Case) -> list[Evidence]:
    """Return the runs of models trained in place of others: they have no name of their own."""
    runs = [e for i, e in case.book.items() if i.startswith("run.")]
    return [e for e in runs if e.row["model"] not in case.context.labels]


def _failed_arms(failed: Sequence[Evidence]) -> Iterator[str]:
    for outcome, n in Counter(str(e.facts["outcome"]) for e in failed).items():
        yield f"{count(n, 'run')} of arms {outcome}; the inventory says why."


def _ended(case: Case) -> list[bool]:
    """Return of every run whether it ended well."""
    runs = [
        case.book.get(f"run.{model}.{seed}")
        for model in case.context.labels
        for seed in case.context.seeds_of(model)
    ]
    return [run is not None and run.facts["outcome"] == "ok" for run in runs]


def _grouped(case: Case) -> Iterator[str]:
    """Yield one sentence per outcome that is not ok, naming models and seeds."""
    bad: dict[str, dict[str, list[str]]] = {}
    for model, label in case.context.labels.items():
        for seed in case.context.seeds_of(model):
            run = case.book.get(f"run.{model}.{seed}")
            outcome = "left no record" if run is None else str(run.facts["outcome"])
            if outcome != "ok":
                bad.setdefault(outcome, {}).setdefault(label, []).append(str(seed))
    for outcome, of in bad.items():
        runs = count(sum(map(len, of.values())), "run")
        where = [f"{label} ({named('seed', seeds)})" for label, seeds in of.items()]
        why = "" if outcome == "left no record" else "; the inventory says why"
        yield f"{runs} {outcome}: {listed(where, 6)}{why}."


def _settling(case: Case, models: Sequence[str | None]) -> tuple[str, list[Finding]]:
    """Say for how many models attention, or the loss, had not settled, as far as it is known."""
    found = [f for m in models if (f := case.found.get(f"convergence.{m}")) is not None]
    losses = [f for m in models if (f := case.found.get(f"training.{m}")) is not None]
    unknown = len(models) - len([f for f in found if f.status in ("YES", "NO")])
    parts = []
    if of := _restless(len(models), {"attention": found, "the loss": losses}):
        parts.append(
            f"{of} had not settled when training ended, so that this holds at this training budget"
        )
    if unknown and unknown < len(models):
        parts.append(f"of {unknown} it is not known whether attention had settled")
    told = [f for f in (*found, *losses) if f.status in ("YES", "NO")]
    return "".join(f"; {part}" for part in parts), told


def _restless(models: int, kinds: Mapping[str, Sequence[Finding]]) -> str:
    """Say what of how many models still changed; nothing where all was at rest."""
    many = {kind: sum(f.status == "NO" for f in of) for kind, of in kinds.items()}
    said = [
        f"{kind} of the model" if models == 1 else f"{kind} of {n}" for kind, n in many.items() if n
    ]
    return " and ".join(said) + ("" if models == 1 or not said else " of these models")
