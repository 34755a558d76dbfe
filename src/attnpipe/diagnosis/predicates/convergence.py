"""Whether training had come to an end: the loss, and attention."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Finding
from attnpipe.diagnosis.words import count, every, named
from attnpipe.stats.convergence import SMALLEST_THRESHOLD

LATE = 0.9
"""Share of the training after which an epoch counts as its end."""


def training(case: Case) -> Finding | None:
    """YES: no run had its lowest validation loss in the last tenth of its training.

    One that had might have gone lower: what is said of the model holds at this budget.
    """
    if not case.forecasts:
        return None
    ids = [f"run.{case.name}.{seed}" for seed in case.context.seeds_of(case.name)]
    known = [
        e
        for i in ids
        if (e := case.book.get(i))
        and e.facts["outcome"] == "ok"
        and e.facts["identical_to"] is None
    ]
    missing = [f"record of run {i.removeprefix('run.')}" for i in ids if i not in case.book]
    epochs = [(e.facts["best_epoch"], e.facts["last_epoch"]) for e in known]
    told = [(int(b), int(n)) for b, n in epochs if b is not None and n is not None]
    if missing or len(told) < len(known) or not told:
        sentence = "It is not known of every run when its loss was lowest."
        return case.lacking(sentence, missing or ["a run that was trained here"], known)
    late = sum(best > LATE * last for best, last in told)
    first, final = min(best for best, _ in told), max(best for best, _ in told)
    when = f"epoch {first}" if first == final else f"epochs {first} to {final}"
    sentence = (
        f"The validation loss was lowest after {when} of {max(last for _, last in told)}, in "
        f"{late} of {count(len(told), 'run')} in the last tenth of the training"
    )
    settled = case.share(len(told) - late, len(told))
    if late:
        more = f"{2 * max(last for _, last in told)}"
        return case.answer(
            "NO", f"{sentence}: longer training might lower it.", known, effect=settled,
            missing=["longer training"], next_overrides=[f"training.epochs={more}"],
        )  # fmt: skip
    return case.answer("YES", f"{sentence}.", known, effect=settled)


def convergence(case: Case) -> Finding:
    """YES: every run's attention stopped changing before the last tenth of its training.

    A run that settles only there is censored: it might still change.
    """
    runs = [case.book.get(f"run.{case.name}.{seed}") for seed in case.context.seeds_of(case.name)]
    expected = [
        e.row["seed"]
        for e in runs
        if e is not None and e.facts["outcome"] == "ok" and e.facts["identical_to"] is None
    ]
    found = {seed: case.book.heads(f"convergence.{case.name}.{seed}") for seed in expected}
    evidence = [e for of in found.values() for e in of]
    absent = [
        "divergences between checkpoints" + (f" of seed {seed}" if case.replicates else "")
        for seed, of in found.items()
        if not of or any(e.facts["censored"] is None for e in of)
    ]
    if absent or not expected:
        return case.lacking(
            "It is not known how attention changed while training.",
            absent or ["a run that ended well"],
            evidence,
        )
    censored = [str(seed) for seed, of in found.items() if any(e.facts["censored"] for e in of)]
    settled = case.share(len(expected) - len(censored), len(expected))
    epochs = sorted(e.estimate for e in evidence if e.estimate is not None)
    last = max(int(str(e.facts["epoch"])) for e in evidence)
    between = f"at epoch {epochs[0]:g}" if len(set(epochs)) == 1 else "at no epoch"
    if len(set(epochs)) > 1:
        between = f"between epochs {epochs[0]:g} and {epochs[-1]:g}"
    if not censored and set(epochs) == {0}:
        sentence = (
            f"From its first checkpoint on, attention was within {SMALLEST_THRESHOLD:g} nats of "
            f"its end in {every(len(expected), 'run')}: less is not told from no change, though "
            "it may matter to the forecast."
        )
        return case.answer("YES", sentence, evidence, effect=settled)
    if not censored:
        sentence = f"Attention settled {between} of {last} in {every(len(expected), 'run')}."
        if epochs[0] == 0:
            sentence += (
                f" At 0: it never was farther than {SMALLEST_THRESHOLD:g} nats from its end."
            )
        return case.answer("YES", sentence, evidence, effect=settled)
    sentence = (
        f"In {len(censored)} of {count(len(expected), 'run')} attention still changed when "
        f"training ended ({named('seed', censored)}): not converged."
    )
    return case.answer(
        "NO", sentence, evidence, effect=settled,
        missing=["longer training" if case.forecasts else "attention of later epochs"],
        next_overrides=[f"training.epochs={2 * last}"] if case.forecasts else [],
    )  # fmt: skip
