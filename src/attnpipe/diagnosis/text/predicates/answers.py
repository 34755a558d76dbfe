"""How often the answers are right, and whether attention has to do with it."""

from collections.abc import Iterator
from functools import partial

from attnpipe.aggregation.text.names import OPERANDS
from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.diagnosis.text.decide import any_of, changed
from attnpipe.diagnosis.text.found import agreed, one_answer, turned, twin, undeclared, without
from attnpipe.diagnosis.text.names import key
from attnpipe.diagnosis.text.needed import Needed, together, units_needed
from attnpipe.diagnosis.text.words import sample, signed, size
from attnpipe.diagnosis.words import count, estimate, listed, percent
from attnpipe.text.names import QUESTION

MASS = "mass_sinks_removed"
"""What is compared: the question may begin with a sink."""
EASIER = "data.smallest, data.largest"
MOST = 10
"""Variants that are named."""


def _accuracies(case: Case) -> list[Evidence]:
    """Return the accuracies of all variants that have one, in order."""
    ids = [key("accuracy", case.name, variant) for variant in case.texts.variants]
    return [case.book[i] for i in ids if i in case.book and case.book[i].estimate is not None]


SILENT = {
    "none": "No answer in what was written",
    "unfinished": "Cut off before an answer",
    "empty": "Nothing written",
}
"""Ways of not answering, which are not wrong answers."""


def _silent(found: list[Evidence]) -> Iterator[tuple[str, str]]:
    """Yield each way of not answering that occurs, and in how many questions of which variants."""
    for name, text in SILENT.items():
        with_it = [f"{e.row['variant']} {e.facts[name]}" for e in found if e.facts[name]]
        if with_it:
            yield text, listed(with_it, len(with_it))


def answers(case: Case) -> Finding | None:
    """Describe the share of right answers of every variant."""
    if case.texts.kind != "prompts":
        return None
    found = _accuracies(case)
    if not found:
        return case.lacking("No answer was scored.", ["a model that writes answers"])
    told = "; ".join(
        f"{e.row['variant']} {e.facts['correct']} of {e.n_units}, {estimate(e)}" for e in found
    )
    silent = "".join(f" {text}: {told}." for text, told in _silent(found))
    absent = [v for v in case.texts.variants if v not in {e.row["variant"] for e in found}]
    missing = [f"scored answers of {listed(absent)}"] if absent else []
    cut = [str(e.row["variant"]) for e in found if e.facts["unfinished"]]
    if cut:
        missing.append(f"longer answers of {listed(cut)} (data.max_new_tokens, of the variant too)")
    return case.answer(
        "DESCRIPTIVE",
        f"Right answers: {told} (Wilson’s intervals).{silent}",
        found,
        missing=missing,
        **size(found),
    )


def correctness(case: Case) -> Finding | None:
    """YES or NO at the practical margin of mass on the question and its operands.

    Undecided of each variant whose accuracy lies outside the declared range: near 0 and 1 one
    of the groups is too small to be compared. NO thus asks for all variants inside. Where the
    weights show sinks that nobody declared, the answer must be the same without them.
    """
    if case.texts.kind != "prompts":
        return None
    low, high = case.texts.accuracy_range
    found = _accuracies(case)
    middling = [e for e in found if e.estimate is not None and low <= e.estimate <= high]
    outside = [e for e in found if e not in middling]
    within = f"between {percent(low)} and {percent(high)}"
    if not found:
        return case.lacking(
            "Right and wrong answers cannot be compared: no answer was scored.",
            [f"an accuracy {within} ({EASIER})"],
        )
    names = listed([_variant(e) for e in outside], MOST)
    asked = [f"an accuracy {within} in {names} ({EASIER})"]
    shares = listed([_share(e) for e in outside], MOST)
    left_out = f"Inconclusive outside {percent(low)} to {percent(high)} right: {shares}."
    if not middling:
        sentence = f"Right and wrong answers cannot be compared. {left_out}"
        return case.lacking(sentence, asked, found)
    groups = [f"{span} ({_variant(e)})" for e in middling for span in (QUESTION, OPERANDS)]
    compared = {_name(e): e for e in _contrasts(case)}
    contrasts = [compared[name] for name in groups if name in compared]
    absent = [f"mass on {name}" for name in groups if name not in compared]
    if absent:
        return case.lacking("Not all groups were compared.", absent, [*middling, *contrasts])
    margin, thing = case.texts.mass_margin, case.texts.unit
    judge = partial(changed, margin=margin)
    sinks = undeclared(case, [_variant(e) for e in middling])
    judged = [(e, agreed(case, sinks, e, judge)) for e in contrasts]
    turning = [e for e in contrasts if turned(case, sinks, e, judge)]
    open_too: list[Status] = ["INCONCLUSIVE"] if outside else []
    status = any_of([*(answer for _, answer in judged), *open_too])
    largest = max(contrasts, key=lambda e: abs(e.estimate or 0.0))
    shown = [_name(e) for e, answer in judged if answer == "YES"]
    end = "neither a difference nor its absence is shown"
    if shown:
        end = f"beyond {margin:g} for {listed(shown)}"
    elif all(answer == "NO" for _, answer in judged):
        end = f"no practical difference anywhere: all inside ±{margin:g}"
    elif status == "DESCRIPTIVE":
        end = "too few to test it"
    sentence = (
        "Between right and wrong answers, mass off the sinks on the question and on its operands "
        f"differs most for {_name(largest)}: {signed(largest)} {sample(largest, thing)}, of "
        f"{count(len(contrasts), 'comparison')}: {end}."
    )
    if sinks:
        turn = f": {listed([_name(e) for e in turning])} turns on these sinks." if turning else "."
        sentence += without(case, sinks, [largest]) + turn
    needed = Needed(tuple(asked) if outside else ())
    if outside:
        sentence += f" {left_out}"
    open_ = [e for e, answer in judged if answer not in ("YES", "NO")]
    if status in ("INCONCLUSIVE", "DESCRIPTIVE") and open_:
        more = units_needed(open_[0], thing, margin, -margin)
        needed = together([Needed((one_answer(sinks),)) if open_[0] in turning else more, needed])
    twins = [e for e in (twin(case, one) for one in contrasts) if e is not None] if sinks else []
    evidence = [*found, *contrasts, *twins, *sinks]
    return case.answer(status, sentence, evidence, effect=largest, **needed.fields(case))


def _variant(accuracy: Evidence) -> str:
    return str(accuracy.row["variant"])


def _share(accuracy: Evidence) -> str:
    """Return e.g. ``plain (3 %, nothing written 30)``: why a variant cannot be judged."""
    silent = [f"{SILENT[name].lower()} {accuracy.facts[name]}"
              for name in SILENT if accuracy.facts[name]]  # fmt: skip
    return f"{_variant(accuracy)} ({', '.join([percent(accuracy.estimate), *silent])})"


def _contrasts(case: Case) -> list[Evidence]:
    """Return differences in mass between right and wrong answers over all layers."""
    return [
        e
        for e in case.of_model("contrast")
        if e.row["family"] == "correct"
        and e.row["layer"] is None
        and e.row["measure"] == MASS
        and e.estimate is not None
    ]


def _name(evidence: Evidence) -> str:
    """Return e.g. ``operands (2_shot)``."""
    return f"{evidence.row['span']} ({str(evidence.row['a']).removesuffix(': right')})"
