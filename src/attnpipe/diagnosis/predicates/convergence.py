"""Whether attention settled while the model trained."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Finding
from attnpipe.diagnosis.words import count, every, named


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
        sentence = f"Attention did not change while training, in {every(len(expected), 'run')}."
        return case.answer("YES", sentence, evidence, effect=settled)
    if not censored:
        sentence = f"Attention settled {between} of {last} in {every(len(expected), 'run')}."
        return case.answer("YES", sentence, evidence, effect=settled)
    sentence = (
        f"In {len(censored)} of {count(len(expected), 'run')} attention still changed when "
        f"training ended ({named('seed', censored)}): not converged."
    )
    missing = ["longer training"]
    return case.answer("NO", sentence, evidence, effect=settled, missing=missing)
