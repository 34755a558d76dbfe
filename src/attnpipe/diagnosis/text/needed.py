"""How many questions would settle what is open, in words and as an override."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import ENOUGH, replicates
from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.text.contrasts import ALPHA
from attnpipe.diagnosis.text.decide import significant
from attnpipe.diagnosis.words import count

MOST = 1000
"""Questions beyond which no number is named."""


@dataclass(frozen=True)
class Needed:
    """What is missing.

    Attributes
    ----------
    words
        Each lack in words.
    units
        So many questions with a value would do; None: no number can be told, or more
        questions would not help.
    known
        How many have a value.
    """

    words: tuple[str, ...] = ()
    units: int | None = None
    known: int = 0

    def fields(self, case: Case) -> dict[str, Any]:
        """Return `missing` and `next_overrides` of a finding.

        Only arithmetic questions can be had in any number, up to what the range of operands
        holds: more than that is said, and no override is given.
        """
        words, overrides = list(self.words), list[str]()
        asked, most = case.texts.questions, case.texts.available
        if self.units is not None and self.known and most is not None:
            wanted = ceil(self.units * asked / self.known)  # as many of those added have none
            if wanted != self.units:
                words.append(
                    f"only {self.known} of {asked} questions have a value, so that {wanted} are to "
                    "be asked"
                )
            if wanted <= most:
                overrides = [f"data.questions={wanted}"]
            else:
                words.append(
                    f"a wider range of operands (data.smallest, data.largest): it holds {most}"
                )
        return {"missing": words, "next_overrides": overrides}


def most_questions(overrides: Iterable[str]) -> list[str]:
    """Return the override of several that asks for the most questions."""
    return sorted(set(overrides), key=lambda override: int(override.partition("=")[2]))[-1:]


def together(several: Iterable[Needed]) -> Needed:
    """Return what settles all of several."""
    found = list(several)
    words = tuple(dict.fromkeys(word for one in found for word in one.words))
    counted = [one for one in found if one.units is not None and one.known]
    most = max(counted, key=lambda one: (one.units or 0) / one.known, default=Needed())
    return Needed(words, most.units, most.known)


def units_needed(evidence: Evidence, thing: str, *thresholds: float) -> Needed:
    """Return how many questions would do, as `stats.seeds_needed` counts them.

    Parameters
    ----------
    evidence
        An estimate whose interval does not clear every threshold.
    thing
        What is counted: ``question`` or ``sentence``.
    thresholds
        In units of the estimate.
    """
    n, low, high = replicates(evidence), evidence.lo95, evidence.hi95
    if n < ENOUGH:
        lack = f"{count(ENOUGH - n, f'more {thing}')} (there {'is' if n == 1 else 'are'} {n})"
        return Needed((lack,), ENOUGH, n)
    if evidence.estimate is not None and (low is None or high is None):
        return Needed((f"more {thing}s: what a share is taken of is not clearly above 0",))
    if evidence.estimate is None or low is None or high is None:
        return Needed((f"an interval: more {thing}s with a value",))
    half, distance = (high - low) / 2, min(abs(evidence.estimate - t) for t in thresholds)
    if half < distance and not significant(evidence):
        least = _for_p(evidence)
        said = "more" if least is None else f"at least {least}"
        return Needed(
            (f"{said} {thing}s: the interval is clear, p over all tests is not",), least, n
        )
    from attnpipe.stats.seeds_needed import seeds_needed_by_interval  # loads scipy

    needed = seeds_needed_by_interval(evidence.estimate, half, n, *thresholds).seeds
    if needed is None or needed > MOST:
        return Needed((f"more {thing}s: the estimate lies almost on the margin",))
    units = max(n + 1, needed)
    return Needed((f"about {units} {thing}s",), units, n)


def _for_p(evidence: Evidence) -> int | None:
    """Return how many units the smallest p of a sign-flip test, 2/2ⁿ, needs to pass Holm's.

    None if that is not what is lacking.
    """
    p, adjusted = evidence.facts.get("p"), evidence.facts.get("p_holm")
    if not isinstance(p, float) or not isinstance(adjusted, float) or p <= 0:
        return None
    needed = 1 + ceil(log2(max(1.0, adjusted / p) / ALPHA))
    return needed if needed > replicates(evidence) else None
