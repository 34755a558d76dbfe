"""The decision table: gates → one named diagnosis. Nothing here knows where gates come from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any, Literal

Answer = Literal["YES", "NO", "HARM", "?", "absent"]
Name = Literal[
    "INVALID", "NO-SKILL", "HARMFUL", "SHARP-BUT-UNUSED", "IDLE-UNIFORM", "UNUSED", "AVERAGING",
    "POSITIONAL", "CONTENT-BENEFICIAL", "CONTENT-REDUNDANT", "INCONCLUSIVE",
]  # fmt: skip


@dataclass(frozen=True)
class Gates:
    """Answers at one practical margin; ``?`` where evidence does not settle it.

    An arm or an intervention whose interval is too wide leaves open what it would tell; one that
    was never run, ``absent``, means that nobody asked.

    Attributes
    ----------
    valid
        Whether the captured rows are attention at all.
    skill
        Whether the model does better than a trivial predictor.
    E1, E2, E3, E4
        Whether the loss grows when attention's output is replaced by its mean, weights by
        equal ones, weights by their mean at that position, rows by those of other samples.
    R0, R1
        Whether a model trained without attention, or with equal weights, does worse; HARM:
        it does better.
    R2
        The same with learned weights that see no content: it decides the recommendation.
    D
        Whether rows are sharper than uniform and than before training.
    """

    valid: Answer = "?"
    skill: Answer = "?"
    E1: Answer = "?"
    E2: Answer = "?"
    E3: Answer = "?"
    E4: Answer = "?"
    R0: Answer = "?"
    R1: Answer = "?"
    R2: Answer = "?"
    D: Answer = "?"


@dataclass(frozen=True)
class Decision:
    """A diagnosis.

    Attributes
    ----------
    name
        The first row of the table that matches; INCONCLUSIVE where none does.
    blocking
        Gates without an answer that keep it from a diagnosis.
    possible
        Diagnoses that answers to these gates could lead to.
    conflict
        Whether all gates have an answer, but no row explains them together.
    """

    name: Name
    blocking: tuple[str, ...] = ()
    possible: tuple[Name, ...] = ()
    conflict: bool = False


@cache  # seeds are decided one by one, and few of their gates differ
def decide(gates: Gates) -> Decision:
    """Return the first diagnosis that the gates establish.

    Where no row matches, every way of answering the open gates is tried: those that would
    change the result are what must be known. Where one matches, the same is done with gates that
    nobody asked for: a diagnosis that one of them could overturn is none.
    """
    name = _match(gates)
    unknown = ("?", "absent") if name is None else ("absent",)
    open_gates = [f for f in DECIDING if getattr(gates, f) in unknown]
    completions = list(_completions(gates, open_gates))
    results = {tuple(getattr(g, f) for f in open_gates): _match(g) for g in completions}
    blocking = tuple(gate for place, gate in enumerate(open_gates) if _matters(place, results))
    possible = tuple(n for n in ORDER if n in set(results.values()))
    if gates.R2 == "absent" and any(n in ADVISED_BY_R2 for n in possible):
        blocking += ("R2",)
    if name is not None and not blocking:
        return Decision(name)
    return Decision("INCONCLUSIVE", blocking, possible, conflict=not possible)


DECIDING = ("valid", "skill", "E1", "E2", "E3", "E4", "R0", "R1")
ORDER: tuple[Name, ...] = (
    "INVALID", "NO-SKILL", "HARMFUL", "SHARP-BUT-UNUSED", "IDLE-UNIFORM", "UNUSED", "AVERAGING",
    "POSITIONAL", "CONTENT-BENEFICIAL", "CONTENT-REDUNDANT",
)  # fmt: skip

ADVISED_BY_R2: tuple[Name, ...] = ORDER[ORDER.index("AVERAGING") :]
"""Diagnoses after which learned weights per position are what to take, where they do better."""


def _match(g: Gates) -> Name | None:
    if g.valid != "YES":
        return "INVALID" if g.valid == "NO" else None
    if g.skill != "YES":
        return "NO-SKILL" if g.skill in ("NO", "HARM") else None
    if "HARM" in (g.R0, g.R1):
        return "HARMFUL"
    if g.E1 in ("NO", "HARM"):
        unused: dict[Answer, Name] = {"YES": "SHARP-BUT-UNUSED", "NO": "IDLE-UNIFORM"}
        return unused.get(g.D, "UNUSED")
    content_free = _no(g.E3) and _no(g.E4)
    if g.E1 == "YES" and _no(g.E2) and content_free:
        return "AVERAGING"
    if g.E1 == "YES" and g.E2 == "YES" and content_free:
        return "POSITIONAL"
    if g.E3 == "YES" and not _no(g.E4):
        if g.R0 == "YES" and g.R1 == "YES":
            return "CONTENT-BENEFICIAL"
        if "NO" in (g.R0, g.R1):
            return "CONTENT-REDUNDANT"
    return None


def _no(answer: Answer) -> bool:
    """Whether weights in question are shown not to be needed, or to do harm."""
    return answer in ("NO", "HARM")


def _completions(gates: Gates, open_gates: Sequence[str]) -> Iterator[Gates]:
    use: tuple[Answer, ...] = ("YES", "NO")
    answers = [(*use, "HARM") if gate.startswith("R") else use for gate in open_gates]
    for chosen in product(*answers):
        new: dict[str, Any] = dict(zip(open_gates, chosen, strict=True))
        yield replace(gates, **new)


def _matters(place: int, results: dict[tuple[Answer, ...], Name | None]) -> bool:
    """Whether two ways of answering differ in this gate alone and in the result."""
    by_rest: dict[tuple[Answer, ...], set[Name | None]] = {}
    for chosen, name in results.items():
        by_rest.setdefault(chosen[:place] + chosen[place + 1 :], set()).add(name)
    return any(len(names) > 1 for names in by_rest.values())
