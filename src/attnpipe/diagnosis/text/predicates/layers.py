"""Which layers a prompt changes most."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE, ENOUGH, replicates
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.text.contrasts import ALPHA, SENSITIVITY
from attnpipe.diagnosis.text.found import named as named_sinks
from attnpipe.diagnosis.text.found import twin, undeclared
from attnpipe.diagnosis.text.needed import units_needed
from attnpipe.diagnosis.text.words import sample, signed
from attnpipe.diagnosis.words import count, estimate, named

SHOWN = 3
"""Layers that are named with their distances."""


def sensitive_layers(case: Case) -> Finding | None:
    """YES: of some layers, the interval of their distance lies above the mean of the others.

    Distance between the variants' rows on the question's tokens, sinks left out; p is
    adjusted over layers by Benjamini and Hochberg: layers are explored. It must lie above the
    distance between different questions of one variant as well, else it is not the prompt that
    moves them. Where the weights show sinks that nobody declared, a layer must stand out
    without them, too.
    """
    if case.texts.kind != "prompts" or len(case.texts.variants) < 2:
        return None
    layers = _by_distance(case)
    if not layers:
        missing = ["distances between variants in several layers"]
        return case.lacking("Single layers cannot be compared.", missing)
    out = _standing_out(case, layers)
    top = (out or layers)[:SHOWN]
    of_named = [e for m in ("distance", "null_distance") for e in _named(case, m, top)]
    whole = [e for m in ("distance", "distance_excess") for e in _whole(case, m)]
    sinks = undeclared(case, case.texts.variants)
    excess = _named(case, "distance_excess", _above(layers))
    both = [*layers, *excess]
    twins = [e for e in (twin(case, one) for one in both) if e is not None] if sinks else []
    evidence = [*both, *twins, *of_named, *whole, *sinks]
    thing = case.texts.unit
    told = "; ".join(_told(case, e) for e in top)
    of_all = "".join(_of_all(e) for e in whole)
    of_all += _like_questions(case, layers) + _without_found(case, layers)
    n = min(replicates(e) for e in layers)
    if n < DESCRIBE:
        return case.answer(
            "DESCRIPTIVE",
            f"Farthest above the mean of the other layers: {told}; too few to test it.{of_all}",
            evidence,
            effect=top[0],
            **units_needed(top[0], thing, 0.0).fields(case),
        )
    if out and n >= ENOUGH:
        more = f"; and {len(out) - SHOWN} more" if len(out) > SHOWN else ""
        return case.answer(
            "YES",
            f"{len(out)} of {count(len(layers), 'layer')} lie above the mean of the others, and "
            f"above different questions: {told}{more} {sample(top[0], thing)}.{of_all}",
            evidence,
            effect=top[0],
        )
    return case.answer(
        "INCONCLUSIVE",
        f"No layer is shown to lie above the mean of the others, and above different questions, "
        f"{sample(top[0], thing)}; "
        f"farthest: {told}.{of_all}",
        evidence,
        effect=top[0],
        **units_needed(top[0], thing, 0.0).fields(case),
    )


def _above(layers: list[Evidence]) -> list[Evidence]:
    """Return what is shown to lie above 0, in the given order."""
    found = []
    for e in layers:
        p = e.facts.get("p_bh")
        if e.lo95 is not None and e.lo95 > 0 and isinstance(p, float) and p < ALPHA:
            found.append(e)
    return found


def most_sensitive(case: Case) -> str:
    """Return the layers that are shown to lie farthest above the others, and how many do."""
    layers = _by_distance(case)
    out = [str(e.row["layer"]) for e in _standing_out(case, layers)]
    return f"{named('layer', out[:SHOWN])} most ({len(out)} of {len(layers)} stand out)"


def _twins(case: Case, layers: list[Evidence]) -> dict[str, Evidence] | None:
    """Return a layer's id → the same without found sinks; None if there are no such sinks."""
    if not undeclared(case, case.texts.variants):
        return None
    twins = {e.id: twin(case, e) for e in layers}
    return {name: e for name, e in twins.items() if e is not None}


def _by_distance(case: Case) -> list[Evidence]:
    """Return the layers, farthest above the others first, by the lesser of both numbers."""
    layers = list(_of(case, "distance_vs_others").values())
    twins: dict[str, Evidence] = _twins(case, layers) or {}
    lesser = {e.id: min(one.estimate or 0.0 for one in (e, twins.get(e.id, e))) for e in layers}
    return sorted(layers, key=lambda e: -lesser[e.id])


def _standing_out(case: Case, layers: list[Evidence]) -> list[Evidence]:
    """Return the layers that stand out, with and without found sinks."""
    out, twins = _off_declared(case, layers), _twins(case, layers)
    if twins is None:
        return out
    excess = _of(case, "distance_excess")
    both = {e.id: [twins.get(e.id), twin(case, excess[e.row["layer"]])] for e in out}
    return [e for e in out if len(_above([t for t in both[e.id] if t is not None])) == 2]


def _off_declared(case: Case, layers: list[Evidence]) -> list[Evidence]:
    """Return the layers above the others whose distance is also above that of questions."""
    excess = _of(case, "distance_excess")
    above = [e for e in _above(layers) if e.row["layer"] in excess]
    return [e for e in above if _above([excess[e.row["layer"]]])]


def _like_questions(case: Case, layers: list[Evidence]) -> str:
    """Say which layers differ between prompts no more than between questions."""
    kept = {e.id for e in _off_declared(case, layers)}
    lost = [str(e.row["layer"]) for e in _above(layers) if e.id not in kept]
    if not lost:
        return ""
    return (
        f" Of those above the mean of the others, {named('layer', lost)} "
        f"{'differs' if len(lost) == 1 else 'differ'} between prompts no more than between "
        "questions, as far as is shown."
    )


def _without_found(case: Case, layers: list[Evidence]) -> str:
    """Say which layers stand out off the declared sinks alone, and what is left of these."""
    sinks = undeclared(case, case.texts.variants)
    if not sinks:
        return ""
    kept = {e.id for e in _standing_out(case, layers)}
    lost = [e for e in _off_declared(case, layers) if e.id not in kept]
    told = [
        f"{e.row['layer']} ({signed(e)} becomes {'unknown' if other is None else signed(other)})"
        for e in lost[:SHOWN]
        for other in [twin(case, e)]
    ]
    says = f" Without the sinks that the weights show, too ({named_sinks(sinks)}), "
    if not lost:
        return says + "the same layers stand out." if kept else ""
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return says + f"{count(len(lost), 'layer')} no longer stand out: {', '.join(told)}{more}."


def _of(case: Case, measure: str) -> dict[object, Evidence]:
    """Return layer → its evidence, sinks left out; None: all layers."""
    return {
        e.row["layer"]: e
        for e in case.of_model("contrast")
        if e.row["family"] == SENSITIVITY
        and e.row["measure"] == f"{measure}_sinks_removed"
        and e.estimate is not None
    }


def _named(case: Case, measure: str, layers: list[Evidence]) -> list[Evidence]:
    found = _of(case, measure)
    return [found[e.row["layer"]] for e in layers if e.row["layer"] in found]


def _whole(case: Case, measure: str) -> list[Evidence]:
    found = _of(case, measure)
    return [found[None]] if None in found else []


def _told(case: Case, evidence: Evidence) -> str:
    """Return a layer with its distances: to the others, between prompts, between questions."""
    parts = [f"{signed(evidence)} beside the others"]
    for measure, says in (("distance", "between prompts"), ("null_distance", "between questions")):
        parts += [f"{estimate(e)} {says}" for e in _named(case, measure, [evidence])]
    return f"layer {evidence.row['layer']} ({', '.join(parts)})"


def _of_all(evidence: Evidence) -> str:
    if evidence.row["measure"] == "distance_sinks_removed":
        return f" Over all layers, prompts lie {estimate(evidence)} apart (√(JSD/ln 2))."
    return f" That is {signed(evidence)} beside different questions of one prompt."
