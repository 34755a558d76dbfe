"""How rows look over all layers and heads: what sinks hide, and what training made."""

from collections.abc import Sequence

from attnpipe.aggregation.text.names import SINKS_REMOVED
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE, ENOUGH, replicates
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.text.found import undeclared
from attnpipe.diagnosis.text.heads import SCORES
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.needed import units_needed
from attnpipe.diagnosis.text.readable import visible
from attnpipe.diagnosis.text.sinks import KIND
from attnpipe.diagnosis.text.words import extent, size
from attnpipe.diagnosis.words import count, listed, number
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED

MUCH = 0.3
"""Mass on sinks above which the study is flagged."""
UNTRAINED = "untrained"
SHORT = (
    " (The first of fewer than 13 tokens that only look back cannot be one: with all the weight it "
    "gets less than 4 times its share.)"
)
"""Of N tokens it gets N in all, and N / (1 + 1/2 + … + 1/N) times its share: 3.87 for 12."""


def _of(case: Case, metric: str, *, off: str = "", checkpoint: str | None = None) -> list[Evidence]:
    """Return a metric of the last row of every variant that has it."""
    end = f".{off}" if off else ""
    ids = [
        key("metric", case.name, checkpoint, v, "last", metric) + end for v in case.texts.variants
    ]
    return [case.book[i] for i in ids if i in case.book and case.book[i].estimate is not None]


def sinks(case: Case) -> Finding:
    """Describe the mass on declared sinks, entropy without them, and what the weights show."""
    mass, entropy = _of(case, "sink_mass"), _of(case, "entropy_normalized")
    without = _of(case, "entropy_normalized", off=SINKS_REMOVED)
    absent = [
        name
        for name, found in (
            ("mass on sinks", mass),
            ("entropy of the last row", entropy),
            ("entropy without sinks", without),
        )
        if not found
    ]
    evidence = [*mass, *entropy, *without]
    if absent:
        return case.lacking("What sinks take is not all known.", absent, evidence)
    much = [str(e.row["variant"]) for e in mass if e.lo95 is not None and e.lo95 > MUCH]
    flag = f" That is above {MUCH:g} in {_variants(much, len(mass))}." if much else ""
    sentence = (
        f"Sinks get {extent(mass)} of the last row’s weight{_over(mass)}.{flag} Its entropy over "
        f"ln n is {extent(entropy)} with them and {extent(without)} on the other tokens alone."
    )
    found = case.of_model(KIND)
    sentence += _found(found)
    if undeclared(case, case.texts.variants):
        rest = _of(case, "entropy_normalized", off=FOUND_SINKS_REMOVED)
        evidence += rest
        sentence += f" Off these, too, the entropy over ln n is {extent(rest)}." if rest else ""
    return case.answer("DESCRIPTIVE", sentence, [*evidence, *found], **size(mass))


def _found(sinks: Sequence[Evidence]) -> str:
    """Say whether the weights themselves show the declared sinks, and which others."""
    if not sinks:
        return ""
    by_variant: dict[str, list[Evidence]] = {}
    for e in sinks:
        by_variant.setdefault(str(e.row["variant"]), []).append(e)
    agree = [v for v, own in by_variant.items() if any(e.facts["declared"] for e in own)]
    others = [e for e in sinks if e.facts["declared"] is False]
    others.sort(key=lambda e: -(e.estimate or 0.0))
    of = len(by_variant)
    told = (
        " By the weights themselves (more than 4 times the mass of uniform attention, mean over "
        "heads), a declared sink is one "
    )
    told += f"in {_variants(agree, of)}" if agree else "in no variant"
    told += (
        f"; so are {listed([_key(e) for e in others])}, not declared."
        if others
        else "; no other key is."
    )
    return told if len(agree) == of else told + SHORT


def _key(e: Evidence) -> str:
    """Return a sink as ``‘.’ (position 5 of cot, 0.123 of the weight in 3 layers)``."""
    mass, layers = number(e.estimate), count(int(str(e.facts["layers"])), "layer")
    where = f"position {e.row['position']} of {e.row['variant']}"
    return f"‘{visible(str(e.facts['token']))}’ ({where}, {mass} of the weight in {layers})"


def untrained(case: Case) -> Finding:
    """YES: in every variant, the last row's entropy differs from that of the untrained model.

    The same architecture with random weights read the same texts; intervals are disjoint.
    """
    now = {str(e.row["variant"]): e for e in _of(case, "entropy_normalized")}
    then = {str(e.row["variant"]): e for e in _of(case, "entropy_normalized", checkpoint=UNTRAINED)}
    both = list(case.texts.variants)
    if not then:
        missing = [f"the untrained model (models.{case.name}.untrained: true)"]
        sentence = "There is no untrained model to hold it against."
        return case.lacking(sentence, missing, now.values())
    absent = [
        f"entropy in variant {v}, trained and untrained"
        for v in both
        if not (v in now and v in then)
    ]
    if absent:
        known = [*now.values(), *then.values()]
        return case.lacking("Not every variant can be compared.", absent, known)
    best = {
        checkpoint: [
            case.book[i]
            for i in (key("score", case.name, checkpoint, s) for s in SCORES[:2])
            if i in case.book
        ]
        for checkpoint in (None, UNTRAINED)
    }
    evidence = [*now.values(), *then.values(), *best[None], *best[UNTRAINED]]
    apart = [v for v in both if _apart(now[v], then[v])]
    ours, theirs = [now[v] for v in both], [then[v] for v in both]
    sentence = (
        f"The last row’s entropy over ln n is {extent(ours)}, {extent(theirs)} with random weights"
        f"{_over(ours)}"
    )
    heads = _scores(best[None], best[UNTRAINED])
    if min(replicates(e) for e in (*ours, *theirs)) < DESCRIBE:
        needed = units_needed(ours[0], case.texts.unit, 0.0).fields(case)
        return case.answer(
            "DESCRIPTIVE", f"{sentence}; too few to test it.{heads}", evidence, **needed
        )
    enough = min(replicates(e) for e in (*ours, *theirs)) >= ENOUGH
    if len(apart) == len(both) and enough:
        return case.answer(
            "YES", f"{sentence}: they differ in every variant.{heads}", evidence, **size(ours)
        )
    close = [v for v in both if v not in apart]
    said = f"not shown to differ in {_variants(close, len(both))}" if close else "too few to decide"
    missing = [f"more {case.texts.unit}s"]
    return case.lacking(f"{sentence}: {said}.{heads}", missing, evidence, **size(ours))


def _apart(one: Evidence, other: Evidence) -> bool:
    """Whether two intervals do not touch."""
    ends = (one.lo95, one.hi95, other.lo95, other.hi95)
    if any(end is None for end in ends):
        return False
    low, high, below, above = (float(end) for end in ends if end is not None)
    return low > above or high < below


def _scores(now: Sequence[Evidence], then: Sequence[Evidence]) -> str:
    """Compare the best heads of both, where both are known."""
    other = {e.row["metric"]: e for e in then}
    told = [
        f"{str(e.row['metric']).replace('_', ' ')} {number(e.estimate)} against "
        f"{number(other[e.row['metric']].estimate)}"
        for e in now
        if e.row["metric"] in other
    ]
    return f" Best heads: {'; '.join(told)}." if told else ""


def _variants(names: Sequence[str], of: int) -> str:
    if len(names) == of:
        return "the only variant" if of == 1 else f"all {of} variants"
    return f"{len(names)} of {count(of, 'variant')} ({listed(list(names))})"


def _over(evidence: Sequence[Evidence]) -> str:
    return f" over {len(evidence)} variants" if len(evidence) > 1 else ""
