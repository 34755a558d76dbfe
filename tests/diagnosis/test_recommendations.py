"""What follows from each diagnosis: one literal text per way in which rivals may do."""

import pytest

from attnpipe.diagnosis.verdicts.table import Answer, Gates, Name
from attnpipe.diagnosis.verdicts.texts import MEANS, recommendation

STATIC_DO = "Take learned weights per position: trained in its place, they do as well."
STATIC_BETTER = "Take learned weights per position: trained in its place, they do better."
STATIC_OPEN = "Weights per position may do; whether they do as well is not known."
NONE_DOES = "Take the model without attention: trained in its place, it does as well."
EQUAL = "Take equal weights: trained in its place, they do better; "
KEEP = "Keep attention in training alone: at test time it is not needed, but trained "
WITHOUT_IS_OPEN = (
    "Drop attention at test time; whether a model trained without it does as well is not known."
)
EQUAL_ENOUGH = (
    "Keep attention in training: at test time equal weights are enough, but trained with them, "
    "the model does worse."
)
EQUAL_OPEN = (
    "At test time mean pooling is enough; whether a model trained with it does as well is not "
    "known."
)
KEPT_OPEN = "Keep attention; whether learned weights per position do as well is not known."
SIMPLER = "Take the simpler model; attention explains this model alone, not the task."

Row = tuple[Name, Answer, Answer, Answer, str]
TABLE: list[Row] = [
    # diagnosis, R0, R1, R2, what follows
    ("INVALID", "YES", "YES", "YES", "Repair the capture."),
    ("NO-SKILL", "YES", "YES", "HARM", "Do not interpret its attention."),
    ("INCONCLUSIVE", "?", "?", "?", "Run what is missing before anything is concluded."),
    ("HARMFUL", "HARM", "YES", "YES", "Drop attention."),
    ("HARMFUL", "HARM", "HARM", "HARM", "Drop attention."),
    ("HARMFUL", "YES", "HARM", "YES", EQUAL + "without attention, the model does worse."),
    ("HARMFUL", "NO", "HARM", "?", EQUAL + "without attention, the model does as well as with it."),
    ("HARMFUL", "?", "HARM", "?", EQUAL + "whether attention is needed at all is not known."),
    ("HARMFUL", "absent", "HARM", "?", EQUAL + "whether attention is needed at all is not known."),
    ("UNUSED", "NO", "NO", "NO", "Drop attention."),
    ("UNUSED", "NO", "YES", "?", "Drop attention."),
    ("UNUSED", "YES", "NO", "?", KEEP + "without it, the model does worse."),
    ("UNUSED", "YES", "YES", "?", KEEP + "without it, the model does worse."),
    ("UNUSED", "?", "YES", "?", KEEP + "with equal weights, the model does worse."),
    ("UNUSED", "?", "NO", "?", WITHOUT_IS_OPEN),
    ("UNUSED", "?", "?", "?", WITHOUT_IS_OPEN),
    ("IDLE-UNIFORM", "NO", "?", "?", "Drop attention."),
    ("IDLE-UNIFORM", "YES", "NO", "?", KEEP + "without it, the model does worse."),
    ("IDLE-UNIFORM", "?", "?", "?", WITHOUT_IS_OPEN),
    ("SHARP-BUT-UNUSED", "NO", "NO", "?",
     "Drop attention; its heatmaps are no evidence of anything."),
    ("SHARP-BUT-UNUSED", "YES", "YES", "?",
     KEEP + "without it, the model does worse; its heatmaps are no evidence of anything."),
    ("AVERAGING", "YES", "NO", "?",
     "Mean pooling is enough; pooling itself is needed: without it, the model does worse."),
    ("AVERAGING", "NO", "NO", "NO", "Mean pooling is enough, and so is no pooling at all."),
    ("AVERAGING", "?", "NO", "YES",
     "Mean pooling is enough; whether pooling is needed at all is not known."),
    ("AVERAGING", "YES", "YES", "NO", EQUAL_ENOUGH),
    ("AVERAGING", "?", "YES", "?", EQUAL_ENOUGH),
    ("AVERAGING", "NO", "YES", "?", NONE_DOES),
    ("AVERAGING", "NO", "?", "?", NONE_DOES),
    ("AVERAGING", "YES", "?", "?", EQUAL_OPEN),
    ("AVERAGING", "YES", "NO", "HARM", STATIC_BETTER),
    ("POSITIONAL", "YES", "YES", "NO", "Learned weights per position, or a window, do as well."),
    ("POSITIONAL", "YES", "YES", "YES",
     "Keep attention: weights per position, trained in its place, do worse."),
    ("POSITIONAL", "YES", "YES", "HARM", STATIC_BETTER),
    ("POSITIONAL", "NO", "NO", "HARM", STATIC_BETTER),
    ("POSITIONAL", "YES", "YES", "?", STATIC_OPEN),
    ("POSITIONAL", "?", "?", "?", STATIC_OPEN),
    ("POSITIONAL", "NO", "YES", "YES", NONE_DOES),
    ("POSITIONAL", "YES", "NO", "YES",
     "Take equal weights: trained in its place, they do as well."),
    ("CONTENT-BENEFICIAL", "YES", "YES", "YES", "Keep attention."),
    ("CONTENT-BENEFICIAL", "YES", "YES", "NO", STATIC_DO),
    ("CONTENT-BENEFICIAL", "YES", "YES", "HARM", STATIC_BETTER),
    ("CONTENT-BENEFICIAL", "YES", "YES", "?", KEPT_OPEN),
    ("CONTENT-REDUNDANT", "YES", "NO", "YES", SIMPLER),
    ("CONTENT-REDUNDANT", "NO", "?", "?", SIMPLER),
    ("CONTENT-REDUNDANT", "NO", "NO", "HARM", STATIC_BETTER),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=["-".join(row[:4]) for row in TABLE])
def test_what_follows_agrees_with_models_that_were_trained_in_its_place(row: Row) -> None:
    name, without, equal, static, text = row
    assert recommendation(name, Gates(R0=without, R1=equal, R2=static)) == text


def test_every_diagnosis_is_in_the_table() -> None:
    assert {name for name, *_ in TABLE} == {*MEANS}


@pytest.mark.parametrize(
    ("without", "equal", "what"),
    [("HARM", "YES", "drop attention"), ("YES", "HARM", "take equal weights")],
)
def test_harm_at_a_short_training_budget_holds_for_that_budget(
    without: Answer, equal: Answer, what: str
) -> None:
    assert recommendation("HARMFUL", Gates(R0=without, R1=equal), short=True) == (
        f"At this training budget, {what}; train longer before concluding that it does harm."
    )


def test_where_nothing_can_be_run_nothing_is_asked_for() -> None:
    assert recommendation("INCONCLUSIVE", Gates(), runnable=False) == (
        "Conclude nothing: attention weights alone do not tell."
    )
    assert recommendation("INCONCLUSIVE", Gates(E3="YES", E4="NO"), conflict=True) == (
        "Conclude nothing while E3 and E4 contradict each other."
    )
