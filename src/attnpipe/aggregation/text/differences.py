"""Differences of questions → rows of table `text_contrasts`."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float

from attnpipe.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm
from attnpipe.stats.paired import Differences, paired_differences
from attnpipe.tables.text import TEXT_CONTRASTS

TEST = ("family", "checkpoint", "layer", "span", "measure", "a", "b")
"""Columns that tell tests apart."""

ROUNDING = 1e-6
"""Weights are stored as float32: relative differences below this are none."""

EXPLORING = {"p_bh": benjamini_hochberg, "p_by": benjamini_yekutieli}


def difference(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """Return a − b, 0 where they agree up to rounding.

    All weights of a prompt that is nothing but the question add up to 1, and what they
    are off by must not look like an effect.
    """
    small = (a - b).abs() <= ROUNDING * pl.max_horizontal(a.abs(), b.abs())
    return pl.when(small).then(0.0).otherwise(a - b)


def between(masses: pl.DataFrame, a: str, b: str) -> pl.DataFrame:
    """Return variant a minus variant b on the questions of both, as ``value``."""
    keys = ["checkpoint", "question", "layer", "span", "measure"]
    columns = [*keys, "value"]
    one, other = (masses.filter(pl.col("variant") == v).select(columns) for v in (a, b))
    return (
        one.join(other, on=keys, suffix="_b", nulls_equal=True, maintain_order="left")
        .with_columns(
            value=difference(pl.col("value"), pl.col("value_b")), a=pl.lit(a), b=pl.lit(b)
        )
        .drop("value_b")
    )


def matrix(
    frame: pl.DataFrame, tests: Sequence[str]
) -> tuple[pl.DataFrame, list[int], Float[np.ndarray, "test question"]]:
    """Return the distinct tests, the questions, and the values of each; NaN where none is."""
    of_tests = frame.select(tests).unique(maintain_order=True).with_row_index("row")
    questions = frame["question"].unique().sort()
    place = {question: column for column, question in enumerate(questions)}
    rows = frame.select(tests).join(
        of_tests, on=list(tests), nulls_equal=True, maintain_order="left"
    )["row"]
    values = np.full((len(of_tests), len(questions)), np.nan)
    columns = [place[question] for question in frame["question"]]
    values[rows.to_numpy(), columns] = frame["value"].fill_null(np.nan).to_numpy()
    return of_tests.drop("row"), list(questions), values


def paired_rows(differences: pl.DataFrame, *, tested: bool = True) -> pl.DataFrame:
    """Return contrasts of differences that are paired on questions.

    Parameters
    ----------
    differences
        `TEST` columns, ``question`` and ``value``: one difference each.
    tested
        Whether zero is a hypothesis; else there is no effect size and no p.
    """
    if not len(differences):
        return TEXT_CONTRASTS.frame()
    tests, _, values = matrix(differences, TEST)
    return rows_of(tests, paired_differences(values), tested=tested)


def rows_of(tests: pl.DataFrame, found: Differences, *, tested: bool = True) -> pl.DataFrame:
    """Return contrasts with their statistics; NaN is null."""
    names = ["n", "mean", "sd", "lo95", "hi95"] + (["hedges_g", "p"] if tested else [])
    columns = [pl.Series(name, getattr(found, name)) for name in names]
    return TEXT_CONTRASTS.conform(
        tests.with_columns(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
    )


def adjusted(contrasts: pl.DataFrame) -> pl.DataFrame:
    """Add p adjusted within each family of a checkpoint.

    Contrasts over all layers are few and decide: Holm. Those of single layers explore:
    Benjamini–Hochberg, and Benjamini–Yekutieli because layers depend on each other.
    """
    if not len(contrasts):
        return contrasts
    done = []
    numbered = contrasts.with_row_index("place").with_columns(overall=pl.col("layer").is_null())
    for part in numbered.partition_by("checkpoint", "family", "overall"):
        p = part["p"].fill_null(np.nan).to_numpy()
        methods = {"p_holm": holm} if part["overall"][0] else EXPLORING
        columns = [pl.Series(name, method(p)).fill_nan(None) for name, method in methods.items()]
        done.append(part.with_columns(columns))
    return TEXT_CONTRASTS.conform(pl.concat(done).sort("place").drop("place", "overall"))
