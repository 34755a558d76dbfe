"""The verdict words of the earlier published rules, held against what rows do."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE
from attnpipe.diagnosis.predicates.shape import ROWS, unknowable
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.diagnosis.words import count, sample, span
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


OTHER_ROWS = (
    "Where the published profile is one query's row (additive models) it is not the mean of all "
    "rows; and it counts T keys for each, whatever a row could see."
)


SAME = 0.05
"""Difference, as a share of the larger one, up to which two numbers count as the same."""
PEAKS = ("profile_peak", "peak_resolved_share", "peak_lag_mode")


def published_entropy(case: Case) -> Finding:
    """NO: the rules read the averaged profile otherwise than they would read its rows.

    The entropy of a mean is the mean entropy plus the Jensen–Shannon divergence between
    the rows: never smaller, and 1 for sharp rows that look everywhere in turn. That holds
    for the same rows over the same number of keys, which the published profile need not be.
    """
    profile = case.metric("profile_entropy_normalized")
    rows = case.metric("entropy_normalized")
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
    few = status == "DESCRIPTIVE"
    return case.answer(
        status, sentence, evidence, effect=rows[0], as_published=word,
        missing=case.few_seeds(rows[0]) if few else [],
        next_overrides=settling_seeds(case, rows[0]) if few else [],
    )  # fmt: skip


def published_numbers(case: Case) -> Finding:
    """NO: divergence from uniform, or mass on the newest keys, is another for the profile.

    Another: their intervals over seeds do not touch in some head; YES: they lie within 5 %
    of each other in all. Beside them stand where the profile has its peak, and how many rows
    have one that stands out.
    """
    of_rows = ["kl_uniform", *sorted(_recent(case), key=lambda name: int(name.split("_")[-1]))]
    pairs = [(case.metric(f"profile_{name}"), case.metric(name)) for name in of_rows]
    peaks = [case.metric(name) for name in PEAKS]
    evidence = [e for of in [*(of for pair in pairs for of in pair), *peaks] for e in of]
    if unknowable(evidence):
        return case.lacking("What single rows do cannot be known.", [ROWS], evidence)
    names = [n for name in of_rows for n in (f"profile_{name}", name)]
    names += PEAKS
    found = [of for pair in pairs for of in pair] + peaks
    absent = [n for n, of in zip(names, found, strict=True) if not of]
    if absent or any(e.estimate is None for pair in pairs for of in pair for e in of):
        return case.lacking("The two cannot be compared.", absent or of_rows, evidence)
    differ = [name for name, (flat, rows) in zip(of_rows, pairs, strict=True) if _apart(flat, rows)]
    alike = all(_alike(flat, rows) for flat, rows in pairs)
    status: Status = "NO" if differ else "YES" if alike else "INCONCLUSIVE"
    first = pairs[0][1][0]
    if (first.n_seeds or 0) < DESCRIBE:
        status = "DESCRIPTIVE"
    said = [
        f"{_called(name)} {span(flat)} against {span(rows)}"
        for name, (flat, rows) in zip(of_rows, pairs, strict=True)
    ]
    sentence = f"The averaged profile against its rows: {'; '.join(said)} {sample(first)}. "
    sentence += _peak(*peaks)
    if status == "NO":
        hides = "kl_uniform" in differ and _flatter(*pairs[0][::-1])
        reasons = [HIDDEN] if hides else []
        reasons += [OTHER_ROWS] if not hides or len(differ) > 1 else []
        sentence += " ".join(reasons)
    few = status == "DESCRIPTIVE"
    missing = case.few_seeds(first) if few else []
    overrides = settling_seeds(case, first) if few else []
    if status == "INCONCLUSIVE":
        sentence += "They are not alike, and are not shown to differ for every seed."
        missing = ["more seeds"]
    return case.answer(
        status, sentence.strip(), evidence, effect=first, missing=missing, next_overrides=overrides
    )


def _recent(case: Case) -> set[str]:
    """Return the metrics of recent mass that rows have, or the profile."""
    names = {
        str(e.facts["of"]).removeprefix(f"metric.{case.name}.") for e in case.of_model("metric")
    }
    own = {name.removeprefix("profile_") for name in names}
    return {name for name in own if name.startswith("recent_mass_")}


def _called(metric: str) -> str:
    if metric == "kl_uniform":
        return "divergence from uniform in nats"
    return f"weight on the newest {count(int(metric.split('_')[-1]), 'key')}"


def _apart(profile: list[Evidence], rows: list[Evidence]) -> bool:
    """Whether the intervals of any head do not touch."""
    return any(
        a.lo95 is not None and a.hi95 is not None and b.lo95 is not None and b.hi95 is not None
        and (a.lo95 > b.hi95 or a.hi95 < b.lo95)
        for a, b in zip(profile, rows, strict=True)
    )  # fmt: skip


def _alike(profile: list[Evidence], rows: list[Evidence]) -> bool:
    """Whether the numbers of every head lie within 5 % of each other."""
    return all(
        a.estimate is not None and b.estimate is not None
        and abs(a.estimate - b.estimate) <= SAME * max(abs(a.estimate), abs(b.estimate))
        for a, b in zip(profile, rows, strict=True)
    )  # fmt: skip


def _peak(profile: list[Evidence], resolved: list[Evidence], lag: list[Evidence]) -> str:
    """Say where the profile peaks, and whether its rows have a peak at all."""
    said = f"Share of rows where a peak stands out: {span(resolved)}"
    if all(e.estimate is not None for e in lag):
        after = any(e.estimate is not None and e.estimate < 0 for e in lag)
        said += (
            f"; commonest lag of these peaks of each seed, on average over seeds: {span(lag)}"
            f"{' (below 0: after the query)' if after else ''}"
        )
    if all(e.estimate is not None for e in profile):
        said += (
            "; key of the profile's largest weight, from 0, of each seed, on average over seeds: "
            f"{span(profile)}"
        )
    return f"{said}. "


def _flatter(profile: list[Evidence], rows: list[Evidence]) -> bool:
    """Whether the profile of every head is at least as flat as its rows."""
    return all(
        flat.estimate is not None and row.estimate is not None and flat.estimate >= row.estimate
        for flat, row in zip(profile, rows, strict=True)
    )
