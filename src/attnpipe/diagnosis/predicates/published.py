"""The verdict words of the earlier published rules, held against what rows do."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE
from attnpipe.diagnosis.predicates.shape import ROWS, unknowable
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.words import sample, span
from attnpipe.metrics.published import entropy_word

HIDDEN = (
    "Averaging hides it: the entropy of a mean is never below the mean entropy of the same rows, "
    "and rows that look at different keys have a flat mean."
)
OTHERWISE = (
    "Averaging does not explain it: the published profile's entropy is divided by ln T, those of "
    "rows by ln of their own number of keys n; and additive models' published profile is the last "
    "query's row alone, while rows are those of all queries."
)


def published_entropy(case: Case) -> Finding:
    """NO: the rules read the averaged profile otherwise than they would read its rows.

    The entropy of a mean is the mean entropy plus the Jensen–Shannon divergence between
    the rows: never smaller, and 1 for sharp rows that look everywhere in turn. That holds
    for the same rows over the same number of keys, which the published profile need not be.
    """
    profile = case.book.heads(f"metric.{case.name}.profile_entropy_normalized")
    rows = case.book.heads(f"metric.{case.name}.entropy_normalized")
    evidence = [*profile, *rows]
    word = next((str(e.facts["as_published"]) for e in profile if e.facts["as_published"]), None)
    if unknowable(rows):
        sentence = f"The published word is '{word}'; what single rows do cannot be known."
        return case.lacking(sentence, [ROWS], evidence, as_published=word)
    absent = [
        name
        for name, found in (("profile_entropy_normalized", profile), ("entropy_normalized", rows))
        if not found or any(e.estimate is None for e in found)
    ]
    if absent or word is None:
        return case.lacking("The two cannot be compared.", absent or ["verdict word"], evidence)
    words = {entropy_word(e.estimate) for e in rows if e.estimate is not None}
    status: Status = "YES" if words == {word} else "NO"
    if (rows[0].n_seeds or 0) < DESCRIBE:
        status = "DESCRIPTIVE"
    same = words == {word}
    sentence = (
        f"The published rules call the averaged profile '{word}' (entropy {span(profile)}); "
        f"by the same cut-offs its rows are {' or '.join(map(repr, sorted(words)))} "
        f"(entropy {span(rows)}) {sample(rows[0])}. "
    )
    if not same:
        sentence += HIDDEN if _flatter(profile, rows) else OTHERWISE
    else:
        sentence += "Rows and profile get the same word."
    missing = case.few_seeds(rows[0]) if status == "DESCRIPTIVE" else []
    return case.answer(
        status, sentence, evidence, effect=rows[0], as_published=word, missing=missing
    )


def _flatter(profile: list[Evidence], rows: list[Evidence]) -> bool:
    """Whether the profile of every head is at least as flat as its rows."""
    return all(
        flat.estimate is not None and row.estimate is not None and flat.estimate >= row.estimate
        for flat, row in zip(profile, rows, strict=True)
    )
