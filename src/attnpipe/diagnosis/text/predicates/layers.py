"""Which layers a prompt changes most."""

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.gates import DESCRIBE, ENOUGH, replicates
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.text.contrasts import ALPHA, SENSITIVITY
from attnpipe.diagnosis.text.decide import units_needed
from attnpipe.diagnosis.text.words import sample, signed
from attnpipe.diagnosis.words import count, estimate, named

SHOWN = 3
"""Layers that are named with their distances."""


def sensitive_layers(case: Case) -> Finding | None:
    """YES: of some layers, the interval of their distance lies above the mean of the others.

    Distance between the variants' rows on the question's tokens, sinks left out; p is
    adjusted over layers by Benjamini and Hochberg: layers are explored.
    """
    if case.texts.kind != "prompts" or len(case.texts.variants) < 2:
        return None
    layers = sorted(_of(case, "distance_vs_others").values(), key=lambda e: -(e.estimate or 0.0))
    if not layers:
        missing = ["distances between variants in several layers"]
        return case.lacking("Single layers cannot be compared.", missing)
    out = standing_out(layers)
    top = (out or layers)[:SHOWN]
    of_named = [e for m in ("distance", "null_distance") for e in _named(case, m, top)]
    whole = [e for m in ("distance", "distance_excess") for e in _whole(case, m)]
    evidence = [*layers, *of_named, *whole]
    thing = case.texts.unit
    told = "; ".join(_told(case, e) for e in top)
    of_all = "".join(_of_all(e) for e in whole)
    n = min(replicates(e) for e in layers)
    if n < DESCRIBE:
        return case.answer(
            "DESCRIPTIVE",
            f"Farthest above the mean of the other layers: {told}; too few to test it.{of_all}",
            evidence,
            effect=top[0],
            missing=units_needed(top[0], thing, 0.0),
        )
    if out and n >= ENOUGH:
        more = f"; and {len(out) - SHOWN} more" if len(out) > SHOWN else ""
        return case.answer(
            "YES",
            f"{len(out)} of {count(len(layers), 'layer')} lie above the mean of the others: {told}"
            f"{more} {sample(top[0], thing)}.{of_all}",
            evidence,
            effect=top[0],
        )
    return case.lacking(
        f"No layer is shown to lie above the mean of the others {sample(top[0], thing)}; "
        f"farthest: {told}.{of_all}",
        units_needed(top[0], thing, 0.0),
        evidence,
        effect=top[0],
    )


def standing_out(layers: list[Evidence]) -> list[Evidence]:
    """Return the layers that are shown to lie above the others, in the given order."""
    found = []
    for e in layers:
        p = e.facts.get("p_bh")
        if e.lo95 is not None and e.lo95 > 0 and isinstance(p, float) and p < ALPHA:
            found.append(e)
    return found


def most_sensitive(case: Case) -> str:
    """Return the layers that are shown to lie farthest above the others, and how many do."""
    layers = sorted(_of(case, "distance_vs_others").values(), key=lambda e: -(e.estimate or 0.0))
    out = [str(e.row["layer"]) for e in standing_out(layers)]
    return f"{named('layer', out[:SHOWN])} most ({len(out)} of {len(layers)} stand out)"


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
