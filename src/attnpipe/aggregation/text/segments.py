"""Attention to spans → table `segment_summary`, and each question's masses."""

import polars as pl

from attnpipe.aggregation.text.levels import Series, by_question, over_questions, with_intervals
from attnpipe.aggregation.text.names import ANSWERS, ASKED, MASSES, QUESTIONS, measure_name
from attnpipe.tables.text import SEGMENT_SUMMARY
from attnpipe.text.names import keyword

SERIES = Series(
    keys=("checkpoint", "condition", "span", "occurrence"),
    values=MASSES,
    extras=("n_matches", "n_tokens"),
)
PUBLISHED = "as_published"
ALL_ROWS = "_all_rows"


def segment_summary(
    model: str,
    segments: pl.LazyFrame,
    row_segments: pl.LazyFrame | None,
    items: pl.DataFrame,
    texts: pl.DataFrame,
) -> pl.DataFrame:
    """Return masses on spans over questions, of those spans that all texts of a variant have.

    A span that occurs once in all of them has no rows for its occurrence. Operands that are
    keywords differ between questions: they come as ``keyword: {first}`` and ``{second}``.

    Parameters
    ----------
    model
        Name of the model.
    segments
        `tables.SEGMENTS` of its run, with derived spans.
    row_segments
        The same over all rows, means over heads; None: not captured.
    items
        As of `items.items_of`.
    texts
        `tables.TEXTS` of the model.
    """

    def prepare(frame: pl.DataFrame) -> pl.DataFrame:
        return _of_all_texts(_with_operands(frame, texts), items)

    of_layers = segments.filter(pl.col("layer").is_not_null())
    columns = ("layer", "head", "item", *SERIES.keys, *SERIES.numbers)
    found = over_questions(of_layers.select(columns), items, SERIES, prepare=prepare)
    published = _published(_with_operands(_published_rows(segments), texts), items)
    parts = [found, published.select(found.columns)]
    if row_segments is not None:
        rows = over_questions(row_segments.select(columns), items, SERIES, prepare=prepare)
        parts.append(rows.with_columns(measure=pl.col("measure") + ALL_ROWS))
    both = pl.concat(parts, how="vertical_relaxed")
    of_variant = items.select("variant", "texts").unique()
    several = pl.col("occurrence").is_null() | (pl.col("n_matches") > 1)
    kept = both.join(of_variant, on="variant", maintain_order="left").filter(
        (pl.col("present") == pl.col("texts")) & several
    )
    return SEGMENT_SUMMARY.conform(kept.drop("present", "texts").with_columns(model=pl.lit(model)))


def question_masses(segments: pl.LazyFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return each question's masses on the spans that contrasts compare.

    Returns
    -------
    DataFrame
        ``checkpoint``, ``variant``, ``question``, ``layer`` (null: mean over layers),
        ``span``, ``measure`` (with ``_sinks_removed`` or ``_found_sinks_removed``) and
        ``value``; means over heads.
    """
    wanted = (
        pl.col("layer").is_not_null()
        & pl.col("occurrence").is_null()
        & pl.col("span").is_in([*ASKED, ANSWERS, QUESTIONS])
    )
    keys = ("checkpoint", "condition", "span")
    chosen = segments.filter(wanted).select("layer", "head", "item", *keys, *MASSES)
    found = by_question(chosen, items, Series(keys, MASSES))
    return with_condition_in_measure(found)


def with_condition_in_measure(frame: pl.DataFrame) -> pl.DataFrame:
    """Put the condition into the name of the measure; codes become texts again."""
    text = frame.with_columns(pl.col(pl.Categorical).cast(pl.String))
    named = text.select("measure", "condition").unique()
    names = [measure_name(m, c) for m, c in named.iter_rows()]
    return (
        text.join(
            named.with_columns(name=pl.Series(names, dtype=pl.String)),
            on=["measure", "condition"],
            nulls_equal=True,
            maintain_order="left",
        )
        .drop("condition", "measure")
        .rename({"name": "measure"})
    )


def _with_operands(segments: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Add operands that are keywords under names that all questions share."""
    spans = segments["span"].dtype
    named = [
        texts.filter(pl.col(operand).is_not_null()).select(
            "item",
            span=(keyword("") + pl.col(operand).cast(pl.String)).cast(spans),
            shared=pl.lit(keyword(f"{{{operand}}}")).cast(spans),
        )
        for operand in ("first", "second")
    ]
    own = segments.join(pl.concat(named), on=["item", "span"], maintain_order="left")
    return pl.concat([segments, own.with_columns(span="shared").drop("shared")])


def _of_all_texts(segments: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Leave out spans that only some texts of a variant have: most are other texts' operands."""
    there = segments.select("variant", "span", "item").unique(maintain_order=True)
    counted = there.group_by("variant", "span", maintain_order=True).agg(n=pl.len())
    whole = counted.join(items.select("variant", n="texts").unique(), on=["variant", "n"])
    return segments.join(whole, on=["variant", "span"], how="semi", maintain_order="left")


def _published_rows(segments: pl.LazyFrame) -> pl.DataFrame:
    whole = pl.col("layer").is_null() & pl.col("head").is_null()
    return segments.filter(whole & pl.col(PUBLISHED).is_not_null()).collect()


def _published(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return document 3's masses over questions."""
    found = (
        rows.join(items.select("item", "variant"), on="item", maintain_order="left")
        .group_by("variant", *SERIES.keys, maintain_order=True)
        .agg(
            pl.col(PUBLISHED).count().cast(pl.Int64).alias("n"),
            pl.col(PUBLISHED).mean().alias("mean"),
            pl.col(PUBLISHED).std(ddof=1).alias("sd"),
            pl.col(SERIES.extras).mean(),
            pl.len().cast(pl.Int64).alias("present"),
        )
    )
    return with_intervals(found).with_columns(
        layer=pl.lit(None, pl.Int64), head=pl.lit(None, pl.Int64), measure=pl.lit(PUBLISHED)
    )
