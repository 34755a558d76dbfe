"""Whether a head looks at what followed the present token before."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import gate
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.diagnosis.words import estimate, listed, sample

MOST = 0.5
"""Half of a row's weight: more than on all else together."""


def induction(case: Case) -> Finding | None:
    """YES: in some layer the best head puts most of its weight there; NO: in none.

    Arises for models that read tokens. The best head of a layer is chosen on half A of
    the probe set and judged on half B.
    """
    layers = case.book.heads(f"tokens.{case.name}.induction")
    if not layers:
        return None
    before = case.book.heads(f"tokens.{case.name}.untrained.induction")
    below = case.book.heads(f"tokens.{case.name}.previous_token")
    answers = [gate(e, MOST) for e in layers]
    effect = max(layers, key=lambda e: e.estimate or 0.0)
    each = [f"{estimate(e)} in layer {e.row['layer']}" for e in layers]
    sentence = (
        f"The best head puts {listed(each)} of its weight on tokens that follow an earlier "
        f"occurrence of the present one {sample(effect)}"
    )
    if before:
        sentence += f"; before training {_largest(before)} at most"
    costs = case.book.heads(f"layer_content.{case.name}")
    if "YES" in answers:
        if below:
            sentence += (
                f". On the token before, the best head of a layer puts up to {_largest(below)}"
            )
        if costs:
            told = listed([f"{estimate(e, sign=True)} in layer {e.row['layer']}" for e in costs])
            sentence += (
                ". With the mean rows of the position in one layer alone (E3 there), a token's "
                f"loss grows by {told} (nats)"
            )
        return case.answer("YES", f"{sentence}.", [*layers, *before, *below, *costs], effect=effect)
    if set(answers) == {"NO"}:
        return case.answer("NO", f"{sentence}.", [*layers, *before], effect=effect)
    if set(answers) <= {"DESCRIPTIVE"}:
        return case.answer("DESCRIPTIVE", f"{sentence}; {case.untested}", [*layers, *before],
                           effect=effect, missing=case.few_seeds(effect),
                           next_overrides=settling_seeds(case, effect))  # fmt: skip
    missing = case.few_seeds(effect) or ["more seeds: the interval does not settle it"]
    overrides = settling_seeds(case, effect, MOST)
    return case.lacking(
        f"{sentence}.", missing, [*layers, *before], effect=effect, next_overrides=overrides
    )


def _largest(evidence: list[Evidence]) -> str:
    return estimate(max(evidence, key=lambda e: e.estimate or 0.0))
