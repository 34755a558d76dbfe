"""Whether seeds arrive at the same attention."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE, gate, number_of_seeds, seeds_needed
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.diagnosis.words import number, sample, span
from attnpipe.tables.study import COMPARED_SEEDS

SAME = 0.5
"""Centred cosine above which seeds count as alike, below which as unlike."""

NO_NULL = "there is nothing untrained to hold it against."
WIDE = "more seeds: how much alike they were before training is not known well enough"
IN_VAIN = "what more seeds cannot give: "
NO_POSITION = "what position alone gives is not known."


def stability(case: Case) -> Finding:
    """YES: the mean centred cosine of rows lies above 0.5, that of untrained models, and chance.

    Chance is a null in the tables: rows as sharp at random keys; where a layer has several
    heads, which are matched first, independent heads matched in the same way. Cited beside
    it is what position alone gives. Both ends of the claim rest on the delete-one-seed
    jackknife interval: pairs share seeds.
    """
    trained, before = (_rows(case, when) for when in ("", "untrained."))
    matched = any(e.row["level"] == "layer" for e in trained)
    # The same index is not the same head: of several, no seed's position means compare.
    position = [] if matched else _likeness(case, "position_cosine", "")
    evidence = [*trained, *before, *position]
    if not trained or any(e.estimate is None for e in trained):
        profiles = _likeness(case, "profile_pearson", "")
        if profiles and all(e.estimate is not None for e in profiles):
            return case.lacking(
                f"Rows cannot be compared; the averaged profiles of seeds correlate at "
                f"{span(profiles)} {sample(profiles[0])}, which shows habits of position only.",
                ["rows of at least two seeds on the same inputs"],
                [*evidence, *profiles],
                effect=profiles[0],
            )
        return case.lacking(
            "The rows of different seeds cannot be compared.",
            ["rows of at least two seeds on the same inputs"],
            evidence,
        )
    if len(before) != len(trained) or any(e.estimate is None for e in before):
        sentence = f"Centred cosine {span(trained)} {sample(trained[0])}; {NO_NULL}"
        return case.lacking(sentence, ["attention before training"], evidence, effect=trained[0])
    if not matched and not position:
        sentence = f"Centred cosine {span(trained)} {sample(trained[0])}; {NO_POSITION}"
        return case.lacking(sentence, ["position means"], evidence, effect=trained[0])
    answers = [_alike(now, then) for now, then in zip(trained, before, strict=True)]
    status = answers[0] if len(set(answers)) == 1 else "INCONCLUSIVE"
    above = all(gate(e, SAME) == "YES" for e in trained)
    end = {
        "YES": "seeds arrive at the same pattern.",
        "NO": "seeds arrive at different patterns, which may serve equally well.",
        "DESCRIPTIVE": case.untested,
    }.get(status, "that does not settle it.")
    missing: list[str] = []
    overrides: list[str] = []
    if status == "INCONCLUSIVE" and above:
        end = "seeds are alike, but it is not shown that they are so by training."
        missing, overrides = _to_tell(case, trained, before)
        if not all(e.facts["above_null"] for e in trained):
            overrides = []
            end = "seeds are alike, but it is not shown that chance would not make them so."
            missing = ["more seeds, to tell likeness from chance"]
    elif status in ("INCONCLUSIVE", "DESCRIPTIVE"):
        missing = case.few_seeds(trained[0])
        overrides = settling_seeds(case, trained[0])
        if not missing:
            missing, overrides = _to_settle(case, trained, before)
    return case.answer(
        status,
        f"Centred cosine of rows {span(trained)} between seeds{_chance(trained)}, {span(before)} "
        f"before training{_of_means(position)} {sample(trained[0])}: {end}",
        evidence,
        effect=trained[0],
        missing=missing,
        next_overrides=overrides,
    )


def _rows(case: Case, when: str) -> list[Evidence]:
    """Return the likeness of rows: of matched heads, a number per layer, where it has several."""
    matched = case.book.heads(f"matched.{case.name}.{when}centred_cosine")
    return matched or _likeness(case, "centred_cosine", when)


def _chance(evidence: list[Evidence]) -> str:
    """Say what chance would give; nothing where it is not known."""
    matched = any(e.row["level"] == "layer" for e in evidence)
    null = [e.facts["null_mean" if matched else "null_hi95"] for e in evidence]
    known = [n for n in null if isinstance(n, float)]
    if not known:
        return ""
    most = number(max(known))
    if matched:
        return f" once heads are matched, layer by layer (independent heads: up to {most})"
    return f" (rows as sharp at random keys: 95 % of draws below {most})"


def _of_means(position: list[Evidence]) -> str:
    """Say what position alone gives; nothing where it is not known."""
    known = position and all(e.estimate is not None for e in position)
    return f", {span(position)} of the mean rows of positions" if known else ""


def _likeness(case: Case, measure: str, when: str) -> list[Evidence]:
    return case.book.heads(f"similarity.{case.name}.{when}{measure}")


def _alike(now: Evidence, then: Evidence) -> Status:
    status = gate(now, SAME)
    if status == "YES" and (now.lo95 is None or now.lo95 <= _top(then)):
        return "INCONCLUSIVE"
    return "INCONCLUSIVE" if status == "YES" and not now.facts["above_null"] else status


def _closest(trained: list[Evidence], before: list[Evidence]) -> tuple[Evidence, Evidence]:
    """Return the likeness that lies least above the end of that before training, and the latter."""
    pairs = zip(trained, before, strict=True)
    return min(pairs, key=lambda pair: (pair[0].estimate or 0.0) - _top(pair[1]))


def _no_less(then: Evidence, now: Evidence) -> bool:
    """Whether the likeness before training was as large, by the estimates."""
    return then.estimate is not None and (now.estimate or 0.0) <= then.estimate


def _to_tell(
    case: Case, trained: list[Evidence], before: list[Evidence]
) -> tuple[list[str], list[str]]:
    """Say what tells trained from untrained models; more seeds do not where they are as alike."""
    now, then = _closest(trained, before)
    if _no_less(then, now):
        return [f"{IN_VAIN}they were as much alike before training"], []
    top = _top(then)
    if now.estimate is not None and now.estimate <= top:
        return [WIDE], []
    return _counted(case, now, top, ["more seeds, to tell trained from untrained models"])


def _counted(
    case: Case, now: Evidence, top: float, words: list[str]
) -> tuple[list[str], list[str]]:
    """Return words and override for the seeds that would do, if so many are ever compared."""
    needed = number_of_seeds(now, top)
    if (now.n_seeds or 0) >= COMPARED_SEEDS or (needed is not None and needed > COMPARED_SEEDS):
        return [f"{IN_VAIN}of more than {COMPARED_SEEDS} no more are compared"], []
    return words, settling_seeds(case, now, top)


def _to_settle(
    case: Case, trained: list[Evidence], before: list[Evidence]
) -> tuple[list[str], list[str]]:
    """Say how many seeds would do, and what to run; nothing where the estimate lies below."""
    now, then = min(zip(trained, before, strict=True), key=lambda pair: pair[0].estimate or 0.0)
    top = max(SAME, _top(then))
    if now.estimate is not None and SAME < now.estimate <= top:
        if _no_less(then, now):
            return [f"{IN_VAIN}they are alike, and were as much before training"], []
        return [WIDE], []
    goal = SAME if now.estimate is None or now.estimate <= SAME else top  # unlike, or alike
    return _counted(case, now, goal, seeds_needed(now, goal))


def _top(evidence: Evidence) -> float:
    """Return the upper end of the interval, or the estimate if there is none."""
    top = evidence.hi95 if evidence.hi95 is not None else evidence.estimate
    assert top is not None  # callers have checked
    return top


def published_stability(case: Case) -> Finding:
    """YES: trained profiles are more alike than untrained ones by the published measure.

    NO: they are shown to be less alike, or as much: their interval ends where the other begins.
    The cosine of distributions is about 1 / (1 + CV²), CV their coefficient of variation
    over keys: near-uniform weights score 1 whatever they look at.
    """
    trained, before = (_likeness(case, "profile_cosine", when) for when in ("", "untrained."))
    evidence = [*trained, *before]
    word = next((str(e.facts["as_published"]) for e in trained if e.facts["as_published"]), None)
    if not trained or any(e.estimate is None for e in trained):
        return case.lacking(
            "Profiles of different seeds cannot be compared.", ["profiles of two seeds"], evidence
        )
    if len(before) != len(trained) or any(e.estimate is None for e in before):
        sentence = f"Published cosine {span(trained)}, '{word}'; {NO_NULL}"
        missing = ["attention before training"]
        return case.lacking(sentence, missing, evidence, effect=trained[0], as_published=word)
    higher = all(
        e.lo95 is not None and e.lo95 > _top(then) for e, then in zip(trained, before, strict=True)
    )
    no_higher = all(
        e.hi95 is not None and then.estimate is not None and e.hi95 <= then.estimate
        for e, then in zip(trained, before, strict=True)
    )
    status: Status = "YES" if higher else "NO" if no_higher else "INCONCLUSIVE"
    if (trained[0].n_seeds or 0) < DESCRIBE:
        status = "DESCRIPTIVE"
    sentence = (
        f"The published cosine is {span(trained)}, '{word}'; before training it is "
        f"{span(before)} {sample(trained[0])}. "
    )
    if status == "INCONCLUSIVE":
        sentence += "That it rose is not shown. "
    if not higher:
        sentence += (
            "Unrelated weights have about 1 / (1 + CV²), near 1 where they are near uniform: it "
            "does not show that anything stable was learnt."
        )
    return case.answer(
        status,
        sentence.strip(),
        evidence,
        effect=trained[0],
        as_published=word,
        **_more(case, status, trained, before),
    )


def _more(
    case: Case, status: Status, trained: list[Evidence], before: list[Evidence]
) -> dict[str, list[str]]:
    """Say what would settle it, and what to run."""
    if status == "DESCRIPTIVE":
        overrides = settling_seeds(case, trained[0])
        return {"missing": case.few_seeds(trained[0]), "next_overrides": overrides}
    if status != "INCONCLUSIVE":
        return {}
    missing, overrides = _to_tell(case, trained, before)
    return {"missing": missing, "next_overrides": overrides}
