"""What a reader must know beside a diagnosis."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, median

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Evidence, Flag, GateRow
from attnpipe.diagnosis.verdicts.gates import decided_by_ratio, left_after_finetune
from attnpipe.diagnosis.verdicts.table import Gates, decide
from attnpipe.diagnosis.words import count, finetune, listed, percent

ALPHA = 0.05
"""Level of the tests that gates are."""
COLLAPSED = 0.05
"""Normalised entropy of rows below which attention looks at one key only."""
UNSTEADY = 0.25
"""Share of its fall that a validation loss regained above which training was unsteady."""
SINK = 0.3
"""Mean weight on the first key above which a head has a sink there."""
GROWN = 2.0
"""Times the weight before training: first keys get more than others where rows are causal."""
UNTOLD = 0.5
"""Share of rows that their values cannot tell above which descriptions of them are flagged."""
NO_CONTENT = 0.01
"""Share of content below which nothing that E3 could take away varies."""


def flags(
    case: Case, gates: Mapping[str, GateRow], by_seed: Mapping[str, Gates]
) -> dict[str, Flag]:
    """Return name → flag, of those that are raised.

    Parameters
    ----------
    case
        About a model.
    gates
        Code → gate at δ.
    by_seed
        Seed → gates by that seed alone.
    """
    raised = {
        "HETEROGENEOUS": _heterogeneous(case, by_seed),
        "UNSTABLE-PATTERN": _unstable(case),
        "SHORT-TRAINING": _short_training(case),
        "NOT-CONVERGED": _not_converged(case),
        "COLLAPSED": _collapsed(case),
        "POSITION-ONLY": _position_only(case),
        "SINK": _sink(case),
        "NON-IDENTIFIABLE": _untold(case),
        "RECOVERS": _recovers(case, gates),
        "SKEWED": _skewed(case, gates),
        "BY-RATIO": _by_ratio(case, gates),
        "MULTIPLICITY": _multiplicity(case, gates),
    }
    return {name: flag for name, flag in raised.items() if flag is not None}


def _flag(sentence: str, evidence: Iterable[Evidence]) -> Flag:
    return Flag(sentence=sentence, evidence=sorted({e.id for e in evidence}))


def _heterogeneous(case: Case, by_seed: Mapping[str, Gates]) -> Flag | None:
    names = Counter(decide(gates).name for gates in by_seed.values())
    if len(names) < 2:
        return None
    of = [f"{name} for {n}" for name, n in sorted(names.items())]
    sentence = f"Seeds taken one by one differ: {listed(of)}."
    return _flag(sentence, case.of_model("causal_seed"))


def _unstable(case: Case) -> Flag | None:
    found = case.found.get("stability")
    if found is None:
        return None
    evidence = [case.book[i] for i in found.evidence]
    if found.status == "NO":
        return _flag(
            "Seeds look at different things: what one of them looks at says nothing of the others.",
            evidence,
        )
    trained = [e for e in evidence if ".untrained." not in e.id]
    by_chance = any(e.facts.get("above_null") is False for e in trained)
    if by_chance and found.status != "DESCRIPTIVE":  # too few seeds show nothing
        return _flag("Seeds are not shown to be more alike than chance makes them.", evidence)
    return None


def _short_training(case: Case) -> Flag | None:
    """Raise where the loss may not have come down yet: another model may just be faster."""
    found = case.found.get("training")
    if found is None or found.status != "NO":
        return None
    return _flag(
        f"{found.sentence} What is said of the model holds at this training budget.",
        (case.book[i] for i in found.evidence),
    )


def _not_converged(case: Case) -> Flag | None:
    found = case.found.get("convergence")
    if found is None or found.status != "NO":
        return None
    return _flag(
        "Attention had not settled when training ended.", (case.book[i] for i in found.evidence)
    )


def _collapsed(case: Case) -> Flag | None:
    entropy = case.metric("entropy_normalized")
    known = _estimates(entropy)
    if not known or median(known) >= COLLAPSED:
        return None
    runs = case.of_model("run")
    diverged = [e for e in runs if e.facts["outcome"] == "diverged"]
    unsteady = [e for e in runs if (_regained(e) or 0.0) > UNSTEADY and e not in diverged]
    if not (diverged or unsteady):
        return None
    of = "Rows look" if len(known) == 1 else "Rows of the median head look"
    said = [f"{count(len(diverged), 'run')} diverged"] if diverged else []
    if unsteady:
        most = max(_regained(e) or 0.0 for e in unsteady)
        said.append(
            f"in {len(unsteady)} of {count(len(runs), 'run')} the validation loss rose again by up "
            f"to {percent(most)} of all that it fell"
        )
    return _flag(
        f"{of} at one key, and training was unsteady: {listed(said)}.",
        [*entropy, *diverged, *unsteady],
    )


def _regained(run: Evidence) -> float | None:
    found = run.facts["loss_regained"]
    return found if isinstance(found, float) else None


def _position_only(case: Case) -> Flag | None:
    """Raise where no head's weights vary with content; of one that is uniform there is no share."""
    share = case.metric("content_share")
    if case.context.one_place:
        return _flag(
            "What is to be looked at stands at the same place in every sample: E3 and E4 cannot "
            "show that the content matters.",
            share,
        )
    known = [e.estimate for e in share if e.estimate is not None]
    if not known or max(known) >= NO_CONTENT:
        return None
    return _flag(
        "Weights hardly vary with the content of these inputs: E3 and E4 cannot show that "
        "it matters.",
        share,
    )


def _sink(case: Case) -> Flag | None:
    now, before = (case.metric(f"{when}profile") for when in ("", "untrained."))
    first = _estimates(now)
    pairs = zip(first, _estimates(before), strict=False)
    sinks = [a for a, b in pairs if a > max(SINK, GROWN * b)]
    if not sinks:
        return None
    return _flag(
        f"{count(len(sinks), 'head')} of {len(first)} put{'s' * (len(sinks) == 1)} up to "
        f"{percent(max(sinks))} of the weight on the first key, where it may be parked: "
        "averages over keys speak of that key.",
        [*now, *before],
    )


def _untold(case: Case) -> Flag | None:
    shares = case.metric("null_share")
    known = _estimates(shares)
    if not known or mean(known) <= UNTOLD:
        return None
    return _flag(
        f"{percent(mean(known))} of what sets rows apart from uniform could be "
        "otherwise with the same output: where they look explains little; E1 to E4 stand.",
        shares,
    )


def _recovers(case: Case, gates: Mapping[str, GateRow]) -> Flag | None:
    """Raise where a short training makes up for what replacing weights costs."""
    codes, evidence = [], []
    for code, gate in gates.items():
        after = left_after_finetune(case, code)
        if gate.status == "YES" and after is not None and after[1] == "NO":
            codes.append(code)
            evidence += [case.book[str(gate.evidence)], after[0]]
    if not codes:
        return None
    return _flag(
        f"{listed(codes)}: a {finetune(case.context.finetune)} makes up for what the other weights "
        "cost: the model was made for its own, and can soon do without them. No model was trained "
        "as much longer with its own weights: a part may be due to more training alone.",
        evidence,
    )


def _skewed(case: Case, gates: Mapping[str, GateRow]) -> Flag | None:
    """Raise where a gate says that losses differ, and their logarithms do not say so."""
    doubtful = []
    for code, gate in gates.items():
        if gate.status not in ("YES", "HARM") or gate.evidence is None:
            continue
        end = "lo95" if gate.status == "YES" else "hi95"
        log = case.book[gate.evidence].facts.get(f"log_ratio_{end}")
        if isinstance(log, float) and (log <= 0 if gate.status == "YES" else log >= 0):
            doubtful.append(code)
    if not doubtful:
        return None
    return _flag(
        f"{listed(doubtful, 9)}: the ratio of losses does not show what their difference shows; "
        "few items with large losses may carry it.",
        (case.book[str(gates[code].evidence)] for code in doubtful),
    )


def _by_ratio(case: Case, gates: Mapping[str, GateRow]) -> Flag | None:
    """Raise where the interval of the mean effect leaves open what the ratio of losses shows."""
    known = {code: case.book[gate.evidence] for code, gate in gates.items() if gate.evidence}
    codes = [c for c, e in known.items() if decided_by_ratio(c, e, case.context.delta)]
    if not codes:
        return None
    return _flag(
        f"{listed(codes, 9)}: seeds lose so different multiples that the interval of their mean "
        "leaves it open; that of the ratio of losses, seed by seed, lies above the margin, and "
        "decides.",
        (known[code] for code in codes),
    )


def _multiplicity(case: Case, gates: Mapping[str, GateRow]) -> Flag | None:
    """Raise where an answer would not stand a correction for the number of models."""
    weak = [
        code
        for code, gate in gates.items()
        if gate.status in ("YES", "NO", "HARM")
        and gate.p_claim_holm is not None
        and gate.p_claim_holm >= ALPHA
    ]
    if not weak:
        return None
    return _flag(
        f"{listed(weak, 9)}: with Holm's correction over the "
        f"{count(len(case.context.attention_models), 'model')} of the study "
        f"{'it' if len(weak) == 1 else 'they'} would be open.",
        (case.book[str(gates[code].evidence)] for code in weak),
    )


def _estimates(evidence: Sequence[Evidence]) -> list[float]:
    """Return the estimates of all layers and heads; none if one is not known."""
    known = [e.estimate for e in evidence if e.estimate is not None]
    return known if len(known) == len(evidence) else []
