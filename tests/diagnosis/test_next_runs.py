"""Where more seeds or a measurement would settle a question, they come as overrides."""

import re
from types import ModuleType

import pytest
from tests.diagnosis.test_diagnose import finding, judged, small

from attnpipe.diagnosis.book import Book, Case
from attnpipe.diagnosis.context import DiagnosisContext, TextContext
from attnpipe.diagnosis.predicates.compression import POLICIES, compression
from attnpipe.diagnosis.schema import Evidence, Finding
from attnpipe.diagnosis.verdicts.advice import settling_seeds
from attnpipe.schema.compression import CompressionSpec

SEEDS = re.compile(r"^\d+ more seeds?\b")


def case(seeds: int = 5, **of: object) -> Case:
    context = DiagnosisContext(
        title="", labels={"m": "M"}, attention_models=("m",), baselines={"m": None},
        seeds=tuple(range(seeds)), **of,
    )  # fmt: skip
    return Case("x", "?", "m", Book([]), context)


def evidence(estimate: float, half: float, n: int) -> Evidence:
    return Evidence(
        id="x", table="t.csv", row={}, estimate=estimate, lo95=estimate - half,
        hi95=estimate + half, n_seeds=n,
    )  # fmt: skip


def test_seeds_that_would_do_are_added_to_those_there_are() -> None:
    # s = .04 √5 / t(4) = .0322; t(12) s/√13 = .0195 ≤ .02.
    assert settling_seeds(case(), evidence(0.04, 0.04, 5), 0.02) == [
        "seeds=[0,1,2,3,4,5,6,7,8,9,10,11,12]"
    ]
    assert settling_seeds(case(), evidence(0.02, 0.04, 5), 0.02) == []  # on the threshold
    assert settling_seeds(case(), evidence(0.04, 0.04, 5)) == []  # nothing to clear is named


def test_seeds_without_evidence_do_not_count() -> None:
    assert settling_seeds(case(3), evidence(0.04, 0.04, 3)) == ["seeds=[0,1,2,3,4]"]
    assert settling_seeds(case(5), evidence(0.04, 0.04, 3)) == ["seeds=[0,1,2,3,4,5,6]"]


def test_where_nothing_can_be_trained_nothing_is_asked_for() -> None:
    assert settling_seeds(case(forecasts=False), evidence(0.04, 0.04, 3)) == []


@pytest.mark.parametrize(
    ("seeds", "override"), [((7,), "seeds=[7,0,1,2,3]"), ((7, 42), "seeds=[7,42,0,1,2]")]
)
def test_skill_of_a_seed_or_two_asks_for_as_many_as_decide(
    factory: ModuleType, seeds: tuple[int, ...], override: str
) -> None:
    found = finding(judged(factory, small(factory, seeds=seeds)), "skill")
    assert (found.status, found.next_overrides) == ("DESCRIPTIVE", [override])


@pytest.fixture(scope="module")
def three(factory: ModuleType) -> list[Finding]:
    """Return what is said of a study of tokens with three seeds."""
    plan = small(factory, seeds=(7, 42, 94), tokens=True)
    return judged(factory, plan).findings


def test_whoever_lacks_seeds_says_which(three: list[Finding]) -> None:
    lacking = [
        f for f in three if f.status != "YES" and any(SEEDS.match(line) for line in f.missing)
    ]
    assert {f.predicate for f in lacking} >= {"seeds", "gain", "stability", "compression"}
    for found in lacking:
        (override,) = [o for o in found.next_overrides if o.startswith("seeds=")]
        assert override == "seeds=[7,42,94,0,1]", found.id


@pytest.mark.parametrize("kind", ["prompts", "sentences"])
def test_what_was_not_shortened_can_be_asked_for_where_prompts_are_answered(kind: str) -> None:
    texts = TextContext(kind=kind, questions=4, variants=("a",))  # type: ignore[arg-type]
    found = compression(case(forecasts=False, texts=texts))
    if kind == "sentences":
        assert found is None
        return
    assert found is not None
    assert (found.status, found.next_overrides) == ("INCONCLUSIVE", [POLICIES])
    named = POLICIES.partition("=")[2].strip("[]").split(",")
    assert set(CompressionSpec(policies=named).policies) == set(CompressionSpec().policies)
