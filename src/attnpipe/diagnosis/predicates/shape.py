"""What attention does, row by row."""

from collections.abc import Sequence

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import gate, seeds_needed
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.diagnosis.words import count, percent, sample, span

FLOOR = 0.05
"""Nats of divergence from uniform below which attention counts as uniform.

The total variation from uniform is then below √(0.05 / 2) = 0.16 (Pinsker).
"""
ROWS = "weights of single rows (they were averaged before they were saved)"
NO_ROWS = "Rows cannot be known."


def unknowable(evidence: Sequence[Evidence]) -> bool:
    """Whether the numbers were lost when weights were averaged."""
    return any(e.facts["condition"] == "unknowable" for e in evidence)


def sharpness(case: Case) -> Finding:
    """YES: rows diverge from uniform by more than 0.05 nats, and by more than untrained ones.

    Several heads: YES if it is shown for one of them, NO only if for none. Models trained on
    shuffled labels, where there are any, stand beside it: they decide nothing.
    """
    names = ("kl_uniform", "entropy_normalized", "effective_keys_n1")
    kl, entropy, keys = (case.metric(n) for n in names)
    before = case.metric("untrained.kl_uniform")
    evidence = [*kl, *entropy, *keys, *before]
    if unknowable(kl):
        return case.lacking(NO_ROWS, [ROWS], evidence)
    absent = [n for n, e in zip(names, (kl, entropy, keys), strict=True) if not e]
    absent += [] if len(before) == len(kl) else ["attention before training"]
    if absent or any(e.estimate is None for e in [*kl, *before]):
        return case.lacking("Not everything that decides it is known.", absent or names, evidence)
    answers = [_sharper(now, then) for now, then in zip(kl, before, strict=True)]
    status = _over_heads(answers)
    unit = f" of {case.context.window} keys" if case.context.window else " keys"
    sentence = (
        f"Rows spread over {span(keys, unit)}: normalised entropy {span(entropy)}, divergence "
        f"from uniform {span(kl, ' nats')}, {span(before)} before training {sample(kl[0])}"
    )
    end = {
        "YES": f"; attention is not uniform{_how_many(answers)}.",
        "NO": f"; less than {FLOOR:g} nats is close to uniform, by convention: interventions tell "
        "whether so little matters.",
        "DESCRIPTIVE": f"; {case.untested}",
    }.get(status, f"; whether that is more than {FLOOR:g} nats is not settled.")
    missing, overrides = [], []
    if status in ("INCONCLUSIVE", "DESCRIPTIVE"):
        undecided = zip(kl, before, answers, strict=True)
        blocked = [(now, then) for now, then, s in undecided if s == "INCONCLUSIVE"]
        missing = case.few_seeds(kl[0])
        overrides = settling_seeds(case, kl[0])
        if not missing:
            missing, nearest = _seeds_needed(blocked)
            overrides = [] if nearest is None else settling_seeds(case, *nearest)
    said, of_labels = _of_shuffled_labels(case, kl)
    return case.answer(
        status, sentence + end + said, [*evidence, *of_labels],
        effect=kl[0], missing=missing, next_overrides=overrides,
    )  # fmt: skip


def _of_shuffled_labels(case: Case, kl: Sequence[Evidence]) -> tuple[str, list[Evidence]]:
    """Say whether rows are sharper than where there was nothing to learn, if it is known."""
    null = case.book.heads(f"metric.{case.context.label_nulls.get(case.name)}.kl_uniform")
    known = [e.hi95 if e.hi95 is not None else e.estimate for e in null]
    tops = [top for top in known if top is not None]
    if not null or len(tops) < len(null):
        return "", []
    lows = [e.lo95 for e in kl if e.lo95 is not None]
    sharper = sum(low > max(tops) for low in lows)
    many = "" if len(kl) == 1 else f" in {sharper} of {len(kl)} heads"
    says = f"rows are sharper than theirs{many}" if sharper else "rows are not shown to be sharper"
    return (
        f" Models trained on shuffled labels lie {span(null, ' nats')} from uniform: {says}.",
        null,
    )


def _sharper(now: Evidence, then: Evidence) -> Status:
    """Gate at the floor, and above what the untrained model shows."""
    status = gate(now, FLOOR)
    null = then.hi95 if then.hi95 is not None else then.estimate
    if status == "YES" and (null is None or now.lo95 is None or now.lo95 <= null):
        return "INCONCLUSIVE"
    return status


def _seeds_needed(
    blocked: Sequence[tuple[Evidence, Evidence]],
) -> tuple[list[str], tuple[Evidence, float] | None]:
    """Say how many seeds would do for the head that lies farthest from what blocks it.

    An estimate above the floor must clear the untrained model as well; one below it can
    only be shown to be close to uniform. Beside the words: that head and what blocks it.
    """
    best, widest = ["more seeds, to tell trained from untrained models"], 0.0
    nearest: tuple[Evidence, float] | None = None
    for now, then in blocked:
        if now.estimate is None or now.lo95 is None or now.hi95 is None:
            return ["an interval: at least 3 seeds"], None
        null = then.hi95 if then.hi95 is not None else then.estimate
        margin = FLOOR if null is None or now.estimate < FLOOR else max(FLOOR, null)
        distance = now.estimate - margin if margin > FLOOR else abs(now.estimate - margin)
        below = margin > now.estimate  # the side of the interval that must come clear
        half = now.hi95 - now.estimate if below else now.estimate - now.lo95
        if half > 0 and distance / half > widest:
            best, widest = seeds_needed(now, margin), distance / half
            nearest = now, margin
    return best, nearest


def _over_heads(answers: Sequence[Status]) -> Status:
    for status in ("YES", "DESCRIPTIVE", "INCONCLUSIVE"):
        if status in answers:
            return status
    return "NO"


def _how_many(answers: Sequence[Status]) -> str:
    return "" if len(answers) == 1 else f" in {answers.count('YES')} of {len(answers)} heads"


def focus(case: Case) -> Finding:
    """Describe where rows look: mean lag, mass on the newest keys, share that is content.

    Where the final weights read inputs in random order, too, what is left of the shape is
    given beside it.
    """
    recent = _recent(case)
    names = [*([recent] if recent else []), "lag_mean", "content_share"]
    found = {n: case.metric(n) for n in names}
    evidence = [e for of in found.values() for e in of]
    if unknowable(evidence):
        return case.lacking(NO_ROWS, [ROWS], evidence)
    absent = [n for n, of in found.items() if not of] + ([] if recent else ["recent_mass_k"])
    if absent:
        return case.lacking("Not everything that decides it is known.", absent, evidence)
    k = int(recent.rpartition("_")[2])
    window = case.context.window
    chance = f" (uniform: {percent(k / window)})" if window else ""
    share = found["content_share"]
    if all(e.estimate is None for e in share):
        content = "there is too little to share out between content and position"
    else:
        content = f"the content of the window decides {span(share)}, the position the rest"
    sentence = (
        f"The mean lag of rows is {span(found['lag_mean'], ' steps')}{_ahead(found['lag_mean'])}; "
        "the newest "
        f"{count(k, 'key')} get {span(found[recent], ' of the weight')}{chance}; of what sets "
        f"rows apart from uniform, "
        f"{content} {sample(found[recent][0])}."
    )
    said, of_shuffled = _of_shuffled(case)
    sentence, evidence = sentence + said, [*evidence, *of_shuffled]
    sharp = case.found.get("sharpness")
    if sharp is not None and sharp.status == "NO":
        sentence = f"Attention is close to uniform: there is little to locate. {sentence}"
    return case.answer("DESCRIPTIVE", sentence, evidence, effect=found[recent][0])


def _ahead(lags: Sequence[Evidence]) -> str:
    """Say what a negative lag is, where there is one."""
    ahead = any(e.estimate is not None and e.estimate < 0 for e in lags)
    return " (below 0: after the query, which sees the whole window)" if ahead else ""


def _of_shuffled(case: Case) -> tuple[str, list[Evidence]]:
    """Say what rows do on inputs in random order, if it is known."""
    of = f"metric.{case.name}.shuffled_inputs"
    lag, kl = (case.book.heads(f"{of}.{metric}") for metric in ("lag_mean", "kl_uniform"))
    ordered = case.metric("kl_uniform")
    if not lag or not kl or not ordered:
        return "", []
    sentence = (
        f" With the steps of each input in random order the mean lag is {span(lag, ' steps')}, and "
        f"the divergence from uniform {span(kl, ' nats')} instead of {span(ordered, ' nats')}."
    )
    return sentence, [*lag, *kl, *ordered]


def _recent(case: Case) -> str:
    """Return the metric of recent mass nearest to the published last ten steps, or nothing."""
    prefix = f"metric.{case.name}.recent_mass_"
    measured = case.book.about("metric", case.name)
    known = {str(e.facts.get("of")) for e in measured if e.id.startswith(prefix)}
    sizes = sorted({int(of.removeprefix(prefix)) for of in known}, key=lambda k: (abs(k - 10), k))
    return f"recent_mass_{sizes[0]}" if sizes else ""
