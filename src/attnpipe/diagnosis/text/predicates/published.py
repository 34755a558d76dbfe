"""Document 3's own numbers, held against those of single rows and of characters."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE, replicates
from attnpipe.diagnosis.predicates.shape import FLOOR
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.text.keywords import PUBLISHED
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.readable import visible
from attnpipe.diagnosis.text.words import extent, sample
from attnpipe.diagnosis.words import count, estimate

SHOWN = 5
"""Keywords that are named, those that differ most, each in one variant."""
WHY_ENTROPY = (
    "the entropy of a mean is never below the mean entropy, and heads that look at different "
    "tokens have a flat mean"
)

SPLIT = "as where a number is split into digits"


def published(case: Case) -> Finding:
    """NO: the entropy of the head-mean row, or a keyword's mass, is another by its rule.

    Entropies differ beyond 0.05 nats: no text's difference is below 0, so that their mean
    needs no test. Masses differ beyond the practical margin.
    """
    names = {v: [key("last_layer", case.name, v, m) for m in ("published_layer_entropy", "entropy")]
             for v in case.texts.variants}  # fmt: skip
    both = {
        v: [case.book[i] for i in ids]
        for v, ids in names.items()
        if all(i in case.book and case.book[i].estimate is not None for i in ids)
    }
    absent = [v for v in case.texts.variants if v not in both]
    evidence = [e for pair in both.values() for e in pair]
    if absent or not both:
        missing = [f"entropies of the last layer in variant {v}" for v in absent] or ["variants"]
        return case.lacking("The two cannot be compared.", missing, evidence)
    flat = [v for v, (mean, own) in both.items() if _gap((mean, own)) > FLOOR]
    words = _keywords(case)
    margin = case.texts.mass_margin
    differing = [pair for pair in words if _gap(pair) > margin]
    shown = list({pair[0].facts["word"]: pair for pair in differing[::-1]}.values())[::-1][:SHOWN]
    cited = [e for pair in shown for e in pair]
    means, own = ([pair[k] for pair in both.values()] for k in (0, 1))
    sentence = (
        f"As published, the last layer’s entropy is {extent(means)} nats; of its heads one by one "
        f"it is {extent(own)} {sample(own[0], case.texts.unit)}."
    )
    if flat:
        sentence += f" In {len(flat)} of {count(len(both), 'variant')} they differ: {WHY_ENTROPY}."
    if words:
        sentence += (
            f" By its rule {len(differing)} of {len(words)} masses on keywords are another by more "
            f"than {margin:g}."
        )
        sentence += "".join(f" {_told(*pair)}" for pair in shown)
    status: Status = "NO" if flat or differing else "YES"
    missing = []
    if min(map(replicates, own)) < DESCRIBE:
        status, missing = "DESCRIPTIVE", [f"at least {DESCRIBE} {case.texts.unit}s"]
    effect = max(both.values(), key=lambda pair: _gap((pair[0], pair[1])))[0]
    return case.answer(status, sentence, [*evidence, *cited], effect=effect, missing=missing)


Pair = tuple[Evidence, Evidence]


def _keywords(case: Case) -> list[Pair]:
    """Return ours and published mass of each keyword and variant, those that differ most first."""
    found = {e.id: e for e in case.of_model("keyword") if e.estimate is not None}
    pairs = [
        (e, found[i])
        for e in found.values()
        if e.row["measure"] == "mass" and (i := e.id.removesuffix("mass") + PUBLISHED) in found
    ]
    return sorted(pairs, key=lambda pair: (-_gap(pair), pair[0].id))


def _gap(pair: Pair) -> float:
    one, other = pair
    return abs((one.estimate or 0.0) - (other.estimate or 0.0))


def _told(ours: Evidence, theirs: Evidence) -> str:
    """Say how a keyword's masses differ, and why."""
    word, variant = visible(str(ours.facts["word"])), ours.facts["variant"]
    said = f"‘{word}’ in {variant}: {estimate(theirs)} instead of {estimate(ours)}"
    return f"{said}; {_why(ours, theirs)}."


def _why(ours: Evidence, theirs: Evidence) -> str:
    """Return the reasons, as far as mean numbers of matches and of tokens show them."""
    real, found = (_number(e, "n_matches") for e in (ours, theirs))
    tokens = _number(theirs, "n_tokens")
    if found > real:
        return f"as a substring it is found {found:.3g} times, not {real:.3g}"
    reasons = []
    if found == 0 and real > 0:
        reasons.append(f"no token holds all of it, {SPLIT}")
    elif tokens < real:
        reasons.append(
            f"of {_places(real)} in a text, on average, only {tokens:.3g} are held by one token: "
            f"it is not found where it is split, {SPLIT}"
        )
    if found < tokens:
        reasons.append(
            f"tokens that read alike are counted once: {found:.3g} in a text, on average, instead "
            f"of {tokens:.3g}"
        )
    return "; ".join(reasons) or "it counts other tokens"


def _places(number: float) -> str:
    """Return ``1 place`` or ``1.16 places``."""
    return f"{number:.3g} place{'' if number == 1 else 's'}"


def _number(evidence: Evidence, fact: str) -> float:
    value = evidence.facts[fact]
    return float(value) if isinstance(value, int | float) else 0.0
