"""The decision table: one literal row per diagnosis, what blocks it, what never changes it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnpipe.diagnosis.verdicts.table import Gates, decide

OK = {"valid": "YES", "skill": "YES"}
TABLE = {
    "invalid comes first": (Gates(valid="NO", skill="NO"), "INVALID"),
    "validity not known": (Gates(skill="NO", E1="YES"), "INCONCLUSIVE"),
    "no skill": (Gates(valid="YES", skill="NO", E1="YES"), "NO-SKILL"),
    "without attention it is better": (Gates(**OK, E1="NO", R0="HARM"), "HARMFUL"),
    "with equal weights it is better": (Gates(**OK, E3="YES", R0="YES", R1="HARM"), "HARMFUL"),
    "sharp, not used": (Gates(**OK, E1="NO", D="YES"), "SHARP-BUT-UNUSED"),
    "uniform, not used": (Gates(**OK, E1="NO", D="NO"), "IDLE-UNIFORM"),
    "not used, shape unknown": (Gates(**OK, E1="NO"), "UNUSED"),
    "averaging": (Gates(**OK, E1="YES", E2="NO", E3="NO", E4="NO"), "AVERAGING"),
    "positional": (Gates(**OK, E1="YES", E2="YES", E3="NO", E4="NO"), "POSITIONAL"),
    "content, needed": (
        Gates(**OK, E1="YES", E2="YES", E3="YES", E4="YES", R0="YES", R1="YES"),
        "CONTENT-BENEFICIAL",
    ),
    "content, E4 open": (Gates(**OK, E3="YES", R0="YES", R1="YES"), "CONTENT-BENEFICIAL"),
    "content, an average does": (
        Gates(**OK, E1="YES", E2="YES", E3="YES", E4="YES", R0="YES", R1="NO"),
        "CONTENT-REDUNDANT",
    ),
    "content, nothing does": (Gates(**OK, E3="YES", E4="YES", R0="NO"), "CONTENT-REDUNDANT"),
    "nothing known": (Gates(), "INCONCLUSIVE"),
    "arms not run": (Gates(**OK, E1="YES", E2="YES", E3="YES", E4="YES"), "INCONCLUSIVE"),
    "one arm not run": (
        Gates(**OK, E1="YES", E2="YES", E3="YES", E4="YES", R0="YES"), "INCONCLUSIVE",
    ),
    "E3 and E4 contradict": (
        Gates(**OK, E1="YES", E2="YES", E3="YES", E4="NO", R0="YES", R1="YES"), "INCONCLUSIVE",
    ),
}  # fmt: skip


@pytest.mark.parametrize("arm", ["R0", "R1"])
@pytest.mark.parametrize("case", list(TABLE))
def test_an_arm_that_was_not_trained_leaves_all_but_harm_and_no_skill_open(case, arm) -> None:
    gates, _ = TABLE[case]
    found = decide(replace(gates, **{arm: "absent"}))
    before = decide(replace(gates, **{arm: "?"}))
    if before.name in ("INVALID", "NO-SKILL", "HARMFUL", "INCONCLUSIVE"):
        assert found.name == before.name
    else:
        assert (found.name, found.blocking) == ("INCONCLUSIVE", (arm,))
        assert found.possible == ("HARMFUL", before.name)


@pytest.mark.parametrize(
    ("case", "code", "possible"),
    [
        ("content, needed", "E1", ("SHARP-BUT-UNUSED", "CONTENT-BENEFICIAL")),
        ("content, needed", "E4", ("CONTENT-BENEFICIAL",)),  # or a conflict
        ("content, needed", "R2", ("CONTENT-BENEFICIAL",)),
        ("content, an average does", "E1", ("SHARP-BUT-UNUSED", "CONTENT-REDUNDANT")),
        ("content, an average does", "R2", ("CONTENT-REDUNDANT",)),
        ("averaging", "E1", ("SHARP-BUT-UNUSED", "AVERAGING")),
        ("averaging", "E2", ("AVERAGING", "POSITIONAL")),
        ("averaging", "E4", ("AVERAGING",)),
        ("averaging", "R2", ("AVERAGING",)),
        ("positional", "R2", ("POSITIONAL",)),
    ],
)
def test_what_nobody_asked_for_leaves_open_what_it_could_overturn(
    case: str, code: str, possible: tuple[str, ...]
) -> None:
    gates, _ = TABLE[case]
    known = {arm: "YES" for arm in ("R0", "R1") if getattr(gates, arm) == "?"} | {"D": "YES"}
    found = decide(replace(gates, **(known | {code: "absent"})))
    assert (found.name, found.blocking, found.possible) == ("INCONCLUSIVE", (code,), possible)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("content, needed", "E2"),
        ("sharp, not used", "E2"),
        ("sharp, not used", "E3"),
        ("sharp, not used", "R2"),
        ("without attention it is better", "R1"),
        ("no skill", "E1"),
    ],
)
def test_what_could_overturn_nothing_need_not_be_asked_for(case: str, code: str) -> None:
    gates, name = TABLE[case]
    assert decide(replace(gates, **{code: "absent"})).name == name


@pytest.mark.parametrize("case", list(TABLE))
def test_first_match(case: str) -> None:
    gates, name = TABLE[case]
    assert decide(gates).name == name


def test_what_blocks_a_diagnosis_is_what_would_change_it() -> None:
    known = Gates(**OK, E1="YES", E2="YES", E3="YES", E4="YES", R0="YES")
    found = decide(known)
    assert found.blocking == ("R1",)
    assert found.possible == ("HARMFUL", "CONTENT-BENEFICIAL", "CONTENT-REDUNDANT")
    for answer, name in (("YES", "CONTENT-BENEFICIAL"), ("NO", "CONTENT-REDUNDANT")):
        assert decide(replace(known, R1=answer)).name == name


def test_gates_that_cannot_matter_do_not_block() -> None:
    """With content needed, whether unequal weights matter is beside the question."""
    found = decide(Gates(**OK, E1="?", E2="?", E3="YES", E4="YES", R0="YES"))
    assert "E2" not in found.blocking
    assert "R1" in found.blocking


def test_skill_alone_blocks_everything() -> None:
    assert "skill" in decide(Gates(E1="NO")).blocking


def test_a_conflict_is_named() -> None:
    found = decide(Gates(**OK, E1="YES", E2="YES", E3="YES", E4="NO", R0="YES", R1="YES", D="YES"))
    assert (found.name, found.conflict, found.blocking) == ("INCONCLUSIVE", True, ())


answers = st.sampled_from(["YES", "NO", "HARM", "?"])
any_gates = st.builds(
    Gates,
    **(
        dict.fromkeys(Gates.__dataclass_fields__, answers)
        | dict.fromkeys(["E1", "E2", "E3", "E4", "R0", "R1", "R2"], answers | st.just("absent"))
    ),
)


@given(any_gates)
def test_more_answers_never_turn_one_diagnosis_into_another(gates: Gates) -> None:
    """Answering an open E gate keeps an established diagnosis, but for the more exact UNUSED."""
    name = decide(gates).name
    if name in ("INCONCLUSIVE", "UNUSED"):
        return
    for gate in ("E1", "E2", "E3", "E4"):
        if getattr(gates, gate) == "?":
            got = {decide(replace(gates, **{gate: a})).name for a in ("YES", "NO")}
            assert name in got


@given(any_gates)
def test_no_diagnosis_can_be_overturned_by_what_was_never_run(gates: Gates) -> None:
    name = decide(gates).name
    if name in ("INCONCLUSIVE", "UNUSED"):
        return
    for code in ("E1", "E2", "E3", "E4", "R0", "R1"):
        if getattr(gates, code) == "absent":
            for answer in ("YES", "NO", "HARM")[: 2 if code.startswith("E") else 3]:
                assert decide(replace(gates, **{code: answer})).name == name


@given(any_gates)
def test_taking_both_arms_away_never_makes_attention_beneficial(gates: Gates) -> None:
    bare = decide(replace(gates, R0="?", R1="?")).name
    assert bare not in ("CONTENT-BENEFICIAL", "CONTENT-REDUNDANT", "HARMFUL")
    never = decide(replace(gates, R0="absent", R1="absent")).name
    assert never in ("INVALID", "NO-SKILL", "INCONCLUSIVE")


@given(any_gates)
def test_blocking_gates_are_open_and_lead_somewhere(gates: Gates) -> None:
    found = decide(gates)
    assert all(getattr(gates, gate) in ("?", "absent") for gate in found.blocking)
    if found.name == "INCONCLUSIVE":
        assert found.conflict == (not found.possible)
    else:
        assert found.blocking == ()


@given(any_gates)
def test_only_e3_and_e4_can_contradict_each_other(gates: Gates) -> None:
    """Verdicts say so, and of the other gates only E2 may be open then."""
    known = replace(gates, **OK)
    if decide(known).conflict:
        assert {known.E3, known.E4} in ({"YES", "NO"}, {"YES", "HARM"})
        assert "?" not in (known.E1, known.R0, known.R1)
