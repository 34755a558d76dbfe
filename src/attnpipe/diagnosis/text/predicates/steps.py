"""Whether "think step by step" changes what the last token attends to."""

from functools import partial

from attnpipe.aggregation.text.names import PLAIN, SHARED, STEPS
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.text.decide import changed, clear, significant
from attnpipe.diagnosis.text.found import agreed, one_answer, turned, twin, undeclared, without
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.needed import Needed, units_needed
from attnpipe.diagnosis.text.words import by_layer, direction, sample, signed
from attnpipe.diagnosis.words import number

MASS, RELATIVE, RAW = "mass_sinks_removed", "mass_relative_sinks_removed", "mass"


def steps(case: Case) -> Finding | None:
    """YES or NO at the practical margin of mass on the question's tokens, all layers together.

    Sinks are left out: the plain question may begin with one. What a longer prompt does to
    any token shows in relative mass, which is told beside it. Single layers are counted only.
    Where the weights show sinks that nobody declared, the answer must be the same without them.
    Nothing is said of a study that lacks one of the two variants.
    """
    if not {STEPS, PLAIN} <= {*case.texts.variants}:
        return None  # nobody asked for it
    found = {m: case.book.get(_name(case, m)) for m in (MASS, RELATIVE, RAW)}
    mass, relative, raw = found.values()
    evidence = [e for e in found.values() if e is not None]
    if mass is None or mass.estimate is None:
        return case.lacking(
            "The two prompts cannot be compared.",
            [f"attention to the question in variants {STEPS} and {PLAIN}"],
            evidence,
        )
    margin = case.texts.mass_margin
    judge = partial(changed, margin=margin)
    sinks = undeclared(case, (STEPS, PLAIN))
    turns = turned(case, sinks, mass, judge)
    status = agreed(case, sinks, mass, judge)
    sentence = (
        "Beside the plain question, “think step by step” changes what the last token gives to the "
        "question’s tokens (those that all prompts have and that are a sink in none) by "
        f"{signed(mass)} of its weight off the sinks "
        f"{sample(mass, case.texts.unit)}: {_meaning(changed(mass, margin), mass, margin)}."
    )
    if sinks:
        evidence += [*sinks, *(e for e in [twin(case, mass)] if e is not None)]
        sentence += without(case, sinks, [mass]) + (": it turns on these sinks." if turns else ".")
    if relative is not None and relative.estimate is not None:
        sentence += f" Relative to uniform attention: {signed(relative)}{_length(mass, relative)}."
    if raw is not None and raw.estimate is not None:
        sentence += f" With sinks: {signed(raw)}."
    undecided = status in ("INCONCLUSIVE", "DESCRIPTIVE")
    needed = Needed()
    if undecided:
        more = units_needed(mass, case.texts.unit, margin, -margin)
        needed = Needed((one_answer(sinks),)) if turns else more
    return case.answer(
        status,
        sentence + by_layer(mass),
        evidence,
        effect=mass,
        sensitivity={
            f"{m:g}": agreed(case, sinks, mass, partial(changed, margin=m))
            for m in (margin / 2, margin, 2 * margin)
        },
        **needed.fields(case),
    )


def over_uniform(case: Case) -> str:
    """Say how much it is relative to uniform attention, and why that may have another sign.

    Empty where it is not known.
    """
    mass, relative = (case.book.get(_name(case, m)) for m in (MASS, RELATIVE))
    if mass is None or relative is None or relative.estimate is None:
        return ""
    size = number(relative.estimate, sign=True)
    return f"{size} relative to uniform attention{_length(mass, relative)}"


def _name(case: Case, measure: str) -> str:
    return key("contrast", case.name, "steps", STEPS, PLAIN, SHARED, measure)


def _meaning(status: Status, mass: Evidence, margin: float) -> str:
    """Say what the difference amounts to."""
    if status == "YES":
        return f"{direction(mass)}, by more than {margin:g}"
    if status == "NO":
        low, high = (mass.facts[f] for f in ("lo90", "hi90"))
        inside = f"no practical difference, as [{_end(low)}, {_end(high)}] lies inside ±{margin:g}"
        return f"{inside}, though {direction(mass)}" if significant(mass) else inside
    if status == "DESCRIPTIVE":
        return "too few to test it"
    if significant(mass):
        return f"{direction(mass)}, but whether by more than {margin:g} is undecided"
    if clear(mass, margin):
        return "the interval is clear, but not significant among all tests"
    return "neither a difference nor its absence is shown"


def _end(value: object) -> str:
    return number(value if isinstance(value, float) else None, sign=True)


def _length(mass: Evidence, relative: Evidence) -> str:
    """Say whether a loss is more than the further tokens of the longer prompt explain."""
    low, high = relative.lo95, relative.hi95
    if low is None or high is None or mass.estimate is None or mass.estimate >= 0:
        return ""
    if low > 0:
        return ": there are more tokens to attend to, and that hides a gain"
    if high < 0:
        return ": more is lost than the number of tokens explains"
    return ": it is not shown that more is lost than the number of tokens explains"
