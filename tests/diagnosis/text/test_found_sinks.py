"""A sink that nobody declared must not decide what is said of prompts."""

from types import ModuleType

import pytest
from tests.aggregation.text.factory import MODEL
from tests.aggregation.text.planted import planted

from attnpipe.aggregation.text.model import aggregate_text
from attnpipe.diagnosis.context import DiagnosisContext, TextContext
from attnpipe.diagnosis.run import diagnose
from attnpipe.diagnosis.schema import Finding
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.tables.compression import COMPRESSION
from attnpipe.tables.text import TEXT_TABLES

SHOTS = ("1_shot", "2_shot")
ALL = ("plain", "1_shot", "2_shot", "cot")


def judged(factory: ModuleType, predicate: str, **options: object) -> Finding:
    plan = factory.Plan(**options)
    diagnosis = diagnose(factory.study(plan), factory.diagnosis_context(plan))
    (found,) = [f for f in diagnosis.findings if f.predicate == predicate]
    return found


def test_a_planted_sink_that_turns_the_answer_round_is_named_instead_of_an_answer() -> None:
    """Of the rest of layer 1, the examples' answers get most; the sink is in their question."""
    made = planted()
    folded = aggregate_text(
        MODEL, made.run, made.texts, made.spans, made.options, MetricsSpec(), made.outcome
    )
    tables = {name: getattr(folded, name) for name in TEXT_TABLES}
    context = DiagnosisContext(
        title="t", labels={MODEL: "M"}, attention_models=(MODEL,), baselines={MODEL: None},
        seeds=(0,), forecasts=False, texts=TextContext("prompts", 12, ("plain", *SHOTS)),
    )  # fmt: skip
    diagnosis = diagnose(tables | {"compression": COMPRESSION.frame()}, context)
    (found,) = [f for f in diagnosis.findings if f.predicate == "examples"]
    assert found.status == "INCONCLUSIVE", found.sentence
    assert "turns on these sinks" in found.sentence
    assert "at position" in found.sentence
    (missing,) = found.missing
    assert missing.startswith("one answer: it is another without ‘")
    assert {i for i in found.evidence if "mass_relative_found_sinks_removed" in i}


CASES = [
    # predicate, its effect off the declared sinks, family and effect off the found ones, status
    ("examples", {"draw": (0.8, 0.2)}, {"examples": (0.7, 0.2)}, "YES"),
    ("examples", {"draw": (0.8, 0.2)}, {"examples": (-0.4, 0.2)}, "INCONCLUSIVE"),
    ("examples", {"draw": (0.8, 0.2)}, {"examples": (0.1, 0.2)}, "INCONCLUSIVE"),
    ("examples", {"draw": (-0.4, 0.2)}, {"examples": (0.8, 0.2)}, "INCONCLUSIVE"),
    ("examples", {"draw": (0.1, 0.2)}, {"examples": (0.8, 0.2)}, "INCONCLUSIVE"),
    ("shots", {"shots": (0.06, 0.01)}, {"shots": (0.05, 0.01)}, "YES"),
    ("shots", {"shots": (0.06, 0.01)}, {"shots": (-0.05, 0.01)}, "INCONCLUSIVE"),
    ("shots", {"shots": (0.001, 0.004)}, {"shots": (0.06, 0.01)}, "INCONCLUSIVE"),
    ("steps", {"steps": (-0.05, 0.01)}, {"steps": (-0.04, 0.01)}, "YES"),
    ("steps", {"steps": (-0.05, 0.01)}, {"steps": (0.05, 0.01)}, "INCONCLUSIVE"),
    ("steps", {"steps": (-0.05, 0.01)}, {"steps": (0.001, 0.005)}, "INCONCLUSIVE"),
    ("correctness", {"correct": (0.05, 0.01)}, {"correct": (0.04, 0.01)}, "YES"),
    ("correctness", {"correct": (0.05, 0.01)}, {"correct": (0.0, 0.004)}, "INCONCLUSIVE"),
]


@pytest.mark.parametrize(("predicate", "effect", "found", "status"), CASES)
def test_yes_and_no_hold_without_found_sinks_too(
    factory: ModuleType, predicate: str, effect: dict, found: dict, status: str
) -> None:
    answer = judged(factory, predicate, **effect, found=found, undeclared=ALL)
    assert answer.status == status, answer.sentence
    assert "Without the sinks that the weights show, too (‘.’ at position 4 of " in answer.sentence
    before = judged(factory, predicate, **effect, undeclared=())
    assert ("turns on these sinks" in answer.sentence) == (
        before.status in ("YES", "NO") and status == "INCONCLUSIVE"
    )
    # Variants with too few right answers are named whatever the others say.
    missing = [line for line in answer.missing if not line.startswith("an accuracy between")]
    assert (answer.status == "INCONCLUSIVE") == bool(missing)


@pytest.mark.parametrize(("predicate", "effect", "found", "status"), CASES)
def test_texts_without_such_sinks_are_not_asked(
    factory: ModuleType, predicate: str, effect: dict, found: dict, status: str
) -> None:
    """There both numbers are the same; what little they differ by decides nothing."""
    answer = judged(factory, predicate, **effect, found=found, undeclared=())
    assert answer.status == judged(factory, predicate, **effect, undeclared=()).status
    assert "Without the sinks" not in answer.sentence
    assert not [i for i in answer.evidence if "found_sinks" in i]


def test_layers_that_stand_out_through_a_sink_alone_are_not_named(factory: ModuleType) -> None:
    """Layers 1 and 2 stand out; layer 2, the farthest, through the sink."""
    found = {"layer 2": (-0.03, 0.0)}
    answer = judged(factory, "sensitive_layers", found=found, undeclared=ALL)
    assert answer.status == "YES"
    assert answer.sentence.startswith(
        "1 of 4 layers lie above the mean of the others, and above different questions: layer 1 ("
    )
    assert "1 layer no longer stand out: 2 (" in answer.sentence
    assert judged(factory, "sensitive_layers", undeclared=ALL).sentence.count("layer 2 (") == 1
    both = {"layer 1": (-0.03, 0.0), "layer 2": (-0.03, 0.0)}
    none = judged(factory, "sensitive_layers", found=both, undeclared=ALL)
    assert none.status == "INCONCLUSIVE"
    assert none.missing


def test_entropy_is_told_without_them(factory: ModuleType) -> None:
    answer = judged(factory, "sinks", undeclared=ALL)
    assert "Off these, too, the entropy over ln n is 0.850 to 0.880." in answer.sentence
    assert "Off these" not in judged(factory, "sinks", undeclared=()).sentence
