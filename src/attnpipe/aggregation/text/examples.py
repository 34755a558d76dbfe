"""Whether examples draw attention to their answers, and more examples more."""

from itertools import pairwise

import polars as pl

from attnpipe.aggregation.text.differences import between, difference
from attnpipe.aggregation.text.names import ANSWERS, EXAMPLES, QUESTIONS, base_variant

UNIFORM = "uniform"


def examples(masses: pl.DataFrame) -> pl.DataFrame:
    """Return how far relative mass on the examples' answers exceeds two references.

    ``b`` is ``uniform``: relative mass minus 1; or ``examples_questions``: minus the
    relative mass on the examples' questions, which have the same places in the text. Where
    several variants have examples, ``a`` is also ``with examples``: the mean over them of
    each question that all of them have, so that one number answers for the study.

    Parameters
    ----------
    masses
        As of `segments.question_masses`.
    """
    relative = masses.filter(pl.col("measure").str.starts_with("mass_relative"))
    answers, questions = (relative.filter(pl.col("span") == span) for span in (ANSWERS, QUESTIONS))
    keys = ["checkpoint", "variant", "question", "layer", "measure"]
    both = answers.join(
        questions.select(*keys, other="value"), on=keys, nulls_equal=True, maintain_order="left"
    )
    against = {
        UNIFORM: both.with_columns(value=difference(pl.col("value"), pl.lit(1.0))),
        QUESTIONS: both.with_columns(value=difference(pl.col("value"), pl.col("other"))),
    }
    named = [frame.with_columns(b=pl.lit(b)) for b, frame in against.items()]
    single = pl.concat(named).drop("other").with_columns(a="variant")
    both = pl.concat([single, _together(single)], how="diagonal")
    return both.with_columns(family=pl.lit("examples"))


def _together(single: pl.DataFrame) -> pl.DataFrame:
    """Return each question's mean over all variants with examples; nothing for a single one."""
    variants = single["variant"].n_unique()
    keys = ["checkpoint", "question", "layer", "span", "measure", "b"]
    means = single.group_by(keys, maintain_order=True).agg(
        pl.col("value").mean(), known=pl.col("value").is_not_nan().sum()
    )
    whole = (pl.col("known") == variants) & (variants > 1)
    return means.filter(whole).drop("known").with_columns(a=pl.lit(EXAMPLES))


def shots(masses: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return differences in mass on the examples' answers, each number against the next smaller.

    Parameters
    ----------
    masses
        As of `segments.question_masses`.
    items
        As of `items.items_of`.
    """
    answers = masses.filter(pl.col("span") == ANSWERS)
    with_shots = items.filter(pl.col("shots") > 0).select("variant", "shots").unique()
    by_base: dict[str, list[str]] = {}
    for variant in with_shots.sort("shots", "variant")["variant"]:
        by_base.setdefault(base_variant(variant), []).append(variant)
    pairs = [pair for variants in by_base.values() for pair in pairwise(variants)]
    frames = [between(answers, more, fewer) for fewer, more in pairs]
    empty = between(answers.clear(), "", "")
    return pl.concat([empty, *frames]).with_columns(family=pl.lit("shots"))
