"""Whether the captured rows are attention at all."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Finding
from attnpipe.diagnosis.words import number, percent, thousands

LIMIT = 0.01
"""Share of invalid rows above which an extraction is invalid."""


def extraction(case: Case) -> Finding:
    """NO: more than 1 % of the rows are invalid, or any has mass on keys it must not see."""
    ids = [f"run.{case.name}.{seed}" for seed in case.context.seeds_of(case.name)]
    known = [case.book[i] for i in ids if i in case.book]
    good = [e for e in known if e.facts["outcome"] == "ok"]
    counts = [(e.facts["rows_valid"], e.facts["rows_excluded"]) for e in good]
    leaks = case.metric("rows_excluded")
    missing = [f"record of run {i.removeprefix('run.')}" for i in ids if i not in case.book]
    if not good:
        missing = missing or ["a run that ended well"]
    if any(not isinstance(cell, int) for pair in counts for cell in pair):
        missing.append("counts of valid and invalid rows")
    if not leaks:
        missing.append("counts of rows with mass outside their support")
    if missing:
        return case.lacking("Not every row was checked.", missing, [*known, *leaks])
    valid = sum(v for v, _ in counts if isinstance(v, int))
    invalid = sum(x for _, x in counts if isinstance(x, int))
    share = invalid / (valid + invalid) if valid + invalid else 1.0
    size = case.counted(1 - share, "share of rows", len(good))
    leaking = max(e.estimate or 0.0 for e in leaks)
    rows = f"{thousands(valid)} of {thousands(valid + invalid)} final rows of all seeds are valid"
    if leaking > 0:
        mean = f"{number(leaking)} per run on average"
        sentence = f"Rows with mass on keys that they must not see: {mean}; {rows}."
        return case.answer(
            "NO", sentence, [*known, *leaks], effect=size, missing=["a repaired capture"]
        )
    if share > LIMIT:
        sentence = f"{rows}: more than {percent(LIMIT)} are not."
        return case.answer(
            "NO", sentence, [*known, *leaks], effect=size, missing=["a repaired capture"]
        )
    sentence = f"{rows}, and none has mass outside its support."
    return case.answer("YES", sentence, [*known, *leaks], effect=size)
