"""The study as a whole."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Finding
from attnpipe.diagnosis.words import listed

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
    if not gains:
        return case.lacking("No model of this study has attention.", ["a model with attention"])
    counts = {
        status: [case.context.labels[f.model] for f in gains if f.status == status and f.model]
        for status in SAYS
    }
    said = "; ".join(
        f"{SAYS[status]}: {len(of)} ({listed(of)})" for status, of in counts.items() if of
    )
    used = [f for f in case.found.values() if f.predicate in ("used", "content")]
    unknown = sorted({m.partition(":")[0] for f in used for m in f.missing})
    sentence = f"Of {len(gains)} models with attention — {said}."
    if unknown:
        sentence += (
            " Whether attention is used, and whether its content matters, is not known: "
            f"{', '.join(unknown)} are missing."
        )
    cited = [case.book[i] for f in gains for i in f.evidence]
    missing = [f"interventions and arms {', '.join(unknown)}"] if unknown else []
    if all(f.status in ("INCONCLUSIVE", "DESCRIPTIVE") for f in gains):
        return case.lacking(sentence, missing, cited)
    return case.answer("DESCRIPTIVE", sentence, cited, missing=missing)


def gaps(case: Case) -> Finding:
    """YES: every run of every model ended well; otherwise the gaps are named."""
    of_runs = [f for f in case.found.values() if f.predicate == "runs"]
    cited = [case.book[i] for f in of_runs for i in f.evidence]
    lost = [f for f in of_runs if f.status == "INCONCLUSIVE"]
    bad = [f for f in of_runs if f.status != "YES"]
    said = listed([f"{case.context.labels[f.model]}: {f.sentence}" for f in bad if f.model], 6)
    if lost:
        return case.lacking(said, [m for f in lost for m in f.missing], cited)
    if bad:
        return case.answer("NO", said, cited)
    total = len(case.context.labels) * len(case.context.seeds)
    return case.answer("YES", f"All {total} runs ended well.", cited)
