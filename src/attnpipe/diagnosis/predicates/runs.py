"""What there is of each model: outcomes, copies, seeds, final checkpoints."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE, ENOUGH
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.verdicts.advice import more_seeds
from attnpipe.diagnosis.words import count, every, listed, named


def _known(case: Case) -> tuple[list[Evidence], list[str]]:
    """Return the runs on record, and what is missing: one entry per seed without a record."""
    ids = [f"run.{case.name}.{seed}" for seed in case.context.seeds_of(case.name)]
    known = [case.book[i] for i in ids if i in case.book]
    return known, [f"record of run {i.removeprefix('run.')}" for i in ids if i not in case.book]


def _good(known: list[Evidence]) -> list[Evidence]:
    return [e for e in known if e.facts["outcome"] == "ok"]


def runs(case: Case) -> Finding:
    """YES: every seed's run ended well; NO: some did not, each named with its reason."""
    known, missing = _known(case)
    if missing:
        expected = count(len(known) + len(missing), "run")
        sentence = f"{len(missing)} of {expected} left no record."
        return case.lacking(sentence, missing, known)
    bad = [e for e in known if e.facts["outcome"] != "ok"]
    ended = case.share(len(known) - len(bad), len(known))
    if not bad:
        sentence = f"{every(len(known), 'run').capitalize()} ended well."
        return case.answer("YES", sentence, known, effect=ended)
    outcomes = [
        (f"seed {e.row['seed']} " if case.replicates else "")
        + str(e.facts["outcome"])
        + (f" ({e.facts['reason']})" if e.facts["reason"] else "")
        for e in bad
    ]
    sentence = f"{len(bad)} of {count(len(known), 'run')} did not end well: {listed(outcomes)}."
    return case.answer("NO", sentence, known, effect=ended)


def seeds(case: Case) -> Finding:
    """YES: at least five independent runs ended well."""
    known, missing = _known(case)
    if missing:
        return case.lacking("It is not known how many runs ended well.", missing, known)
    n = len([e for e in _good(known) if e.facts["identical_to"] is None])
    counts = f"{count(n, 'independent run')} ended well"
    size = case.counted(float(n), "runs", n)
    if n >= ENOUGH:
        return case.answer("YES", f"{counts}; {ENOUGH} are the minimum.", known, effect=size)
    what = "numbers are described, not tested" if n < DESCRIBE else "only huge effects count"
    return case.answer(
        "NO",
        f"{counts}, fewer than {ENOUGH}: {what}.",
        known,
        effect=size,
        missing=[f"{count(ENOUGH - n, 'more seed')}; 10 are better"],
        next_overrides=_more(case, ENOUGH - n),
    )


def _more(case: Case, seeds: int) -> list[str]:
    """Return the override that adds so many seeds to the study, if it trains models."""
    return more_seeds(case, len(case.context.seeds) + seeds) if case.forecasts else []


def duplicates(case: Case) -> Finding:
    """YES: of two runs or more, none has the same bytes as final weights as another."""
    known, missing = _known(case)
    if missing:
        return case.lacking("Not every run can be compared with the others.", missing, known)
    copies = [e for e in known if e.facts["identical_to"] is not None]
    good = len(_good(known))
    if not copies and good < 2:
        sentence = f"{count(good, 'run')} ended well: there is nothing to compare."
        return case.lacking(
            sentence, [f"{count(2 - good, 'more run')} that ended well"], known,
            next_overrides=_more(case, 2 - good),
        )  # fmt: skip
    size = case.counted(float(len(copies)), "copies", good)
    if not copies:
        return case.answer("YES", "No two runs have the same final weights.", known, effect=size)
    pairs = [f"seed {e.row['seed']} equals {e.facts['identical_to']}" for e in copies]
    sentence = (
        f"Final weights are the same bytes: {listed(pairs)}. A copy is no second piece of "
        "evidence and is left out of all statistics."
    )
    missing = [f"new runs of {count(len(copies), 'seed')}"]
    return case.answer(
        "NO", sentence, known, effect=size, missing=missing,
        next_overrides=_more(case, len(copies)),
    )  # fmt: skip


def final_weights(case: Case) -> Finding:
    """YES: one kind of final checkpoint; NO: a mixture, such as test weights and last epochs."""
    known, missing = _known(case)
    good = [e for e in _good(known) if e.facts["final"] is not None]
    if missing or not good:
        wanted = missing or ["final attention weights of a run that ended well"]
        return case.lacking("The final weights are not all known.", wanted, known)
    kinds: dict[str, list[str]] = {}
    for e in good:
        kinds.setdefault(str(e.facts["final"]), []).append(str(e.row["seed"]))
    size = case.counted(float(len(kinds)), "kinds of checkpoint", len(good))
    if len(kinds) == 1:
        sentence = f"All final weights are those of '{next(iter(kinds))}'."
        return case.answer("YES", sentence, known, effect=size)
    said = "; ".join(f"'{kind}' for {named('seed', of)}" for kind, of in sorted(kinds.items()))
    sentence = f"Final weights are a mixture: {said}. Seeds may differ for this alone."
    missing = ["the same kind of checkpoint of every seed"]
    return case.answer("NO", sentence, known, effect=size, missing=missing)
