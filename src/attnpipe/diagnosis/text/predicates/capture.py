"""Whether the captured rows are attention at all."""

from collections.abc import Sequence

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.predicates.extraction import LIMIT
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.text.long import KIND
from attnpipe.diagnosis.words import count, listed, percent

EXPECTED = "padding"
"""The one reason of exclusion that is no fault."""


def capture(case: Case) -> Finding:
    """NO: more than 1 % of the rows are invalid, or any has mass on keys it must not see."""
    runs = case.of_model("run")
    counts = [(e.facts["rows_valid"], e.facts["rows_excluded"]) for e in runs]
    known = [(v, x) for v, x in counts if isinstance(v, int) and isinstance(x, int)]
    faults = [e for e in case.of_model("rows") if e.row["condition"] != EXPECTED and e.estimate]
    cited = [*runs, *faults]
    if not known or len(known) < len(counts):
        missing = [f"counts of valid and invalid rows of {case.label}"]
        return case.lacking("Not every row was checked.", missing, cited)
    valid, bad = (sum(column) for column in zip(*known, strict=True))
    share = bad / (valid + bad) if valid + bad else 1.0
    texts = count(case.texts.questions * len(case.texts.variants), "text")
    rows = f"{valid:,} of {valid + bad:,} rows".replace(",", " ")
    says = f"{rows} of all layers and heads on {texts} are valid, padding apart"
    reasons = listed(sorted({str(e.row["condition"]) for e in faults}))
    repair = ["a repaired capture"]
    if any(e.row["condition"] == "off_support" for e in faults):
        sentence = f"{says}; some have mass on keys that they must not see ({reasons})."
        return case.answer("NO", sentence, cited, missing=repair)
    if share > LIMIT:
        sentence = f"{says}; {percent(share)} are not ({reasons}), more than {percent(LIMIT)}."
        return case.answer("NO", sentence, cited, missing=repair)
    long = sorted(case.of_model(KIND), key=lambda e: int(str(e.row["item"])))
    says += f" ({reasons})" if bad else ""
    return case.answer("YES", f"{says}.{_left_out(long)}", [*cited, *long])


def _left_out(long: Sequence[Evidence]) -> str:
    """Name the variants of which there are no maps, and the key that would bring them."""
    if not long:
        return ""
    texts = listed([f"{e.facts['variant']} ({e.facts['tokens']} tokens)" for e in long], len(long))
    return (
        f" Without maps, rollout, distances of all heads and position means (E3): {texts}, more "
        f"than analysis.text.dense_limit {long[0].facts[KIND]}; raise it to have them."
    )
