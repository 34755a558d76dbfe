"""Whether the last token attends differently where the answer is right."""

import numpy as np
import polars as pl

from attnpipe.aggregation.text.differences import TEST, difference, matrix, rows_of
from attnpipe.aggregation.text.levels import Series, by_question
from attnpipe.aggregation.text.names import OPERANDS, measure_name
from attnpipe.aggregation.text.segments import with_condition_in_measure
from attnpipe.aggregation.text.sinks import CONDITIONS
from attnpipe.aggregation.text.unpaired import welch_differences
from attnpipe.tables.text import TEXT_CONTRASTS
from attnpipe.text.names import QUESTION

ENTROPY = "entropy"


def question_entropies(metrics: pl.LazyFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return each question's entropy of the last row, in the columns of `question_masses`.

    Parameters
    ----------
    metrics
        `tables.TEXT_METRICS`.
    items
        As of `items.items_of`.
    """
    last = metrics.filter((pl.col("rows") == "last") & (pl.col("metric") == ENTROPY))
    columns = ("layer", "head", "item", "checkpoint", "condition", "value")
    found = by_question(last.select(columns), items, Series(("checkpoint", "condition")))
    named = found.with_columns(measure=pl.lit(ENTROPY), span=pl.lit(None, pl.String))
    return with_condition_in_measure(named)


def right_against_wrong(
    masses: pl.DataFrame,
    entropies: pl.DataFrame,
    answers: pl.DataFrame,
    checkpoint: str,
    accuracy_range: list[float],
) -> pl.DataFrame:
    """Return differences between questions answered right and wrong, variant by variant.

    Only of variants whose accuracy lies in the range: near 0 and 1 one group is so small
    that it says nothing. A question without an answer counts for the share of right ones, but
    is in neither group: nothing wrong was said. Compared are the masses on the question and on
    its operands, and the entropy of the last row. Questions are not paired: Welch.

    Parameters
    ----------
    masses, entropies
        As of `segments.question_masses` and `question_entropies`.
    answers
        `tables.ANSWERS` of the model.
    checkpoint
        The one that answered: others gave no answers to relate.
    accuracy_range
        Least and greatest share of right answers, both included.
    """
    spans = pl.col("span").is_in([QUESTION, OPERANDS])
    of_mass = pl.col("measure").is_in([measure_name("mass", c) for c in CONDITIONS])
    columns = ["checkpoint", "variant", "question", "layer", "span", "measure", "value"]
    values = pl.concat([masses.filter(spans & of_mass).select(columns), entropies.select(columns)])
    values = values.filter(pl.col("checkpoint") == checkpoint)
    low, high = accuracy_range
    judged = answers.filter(pl.col("correct").is_not_null())
    middling = judged.filter(pl.col("correct").mean().over("variant").is_between(low, high))
    frames = [TEXT_CONTRASTS.frame()]
    answered = middling.filter(pl.col("reading").is_in(["right", "wrong"]))
    for variant in middling["variant"].unique(maintain_order=True):
        correct = dict(
            answered.filter(pl.col("variant") == variant).select("question", "correct").rows()
        )
        own = values.filter(
            (pl.col("variant") == variant) & pl.col("question").is_in(list(correct))
        ).with_columns(
            family=pl.lit("correct"), a=pl.lit(f"{variant}: right"), b=pl.lit(f"{variant}: wrong")
        )
        # What is constant up to rounding is constant: see `difference`.
        centre = pl.col("value").mean().over(TEST)
        own = own.with_columns(value=centre + difference(pl.col("value"), centre))
        tests, questions, table = matrix(own, TEST)
        right = np.array([correct[question] for question in questions], dtype=bool)
        found = welch_differences(table, np.broadcast_to(right, table.shape))
        frames.append(rows_of(tests, found))
    return pl.concat(frames)
