"""All comparisons of a study of texts → table `text_contrasts`."""

from collections.abc import Mapping, Sequence

import polars as pl

from attnpipe.aggregation.text.correct import question_entropies, right_against_wrong
from attnpipe.aggregation.text.differences import adjusted, paired_rows
from attnpipe.aggregation.text.examples import examples, shots
from attnpipe.aggregation.text.names import PRETRAINED
from attnpipe.aggregation.text.run import TextRun
from attnpipe.aggregation.text.segments import question_masses
from attnpipe.aggregation.text.sensitivity import sensitivity
from attnpipe.aggregation.text.shared import SharedTokens
from attnpipe.aggregation.text.steps import steps, variants
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.schema.analysis import TextSpec


def text_contrasts(
    model: str,
    run: TextRun,
    segments: pl.LazyFrame,
    items: pl.DataFrame,
    shared: Mapping[int, SharedTokens],
    checkpoints: Sequence[str],
    options: TextSpec,
    found: FoundSinks,
) -> pl.DataFrame:
    """Return the contrasts of all families that the study's variants allow.

    Parameters
    ----------
    model
        Name of the model.
    run
        Its run.
    segments
        The run's segments with derived spans.
    items
        As of `items.items_of`.
    shared
        As of `shared.shared_tokens`.
    checkpoints
        Of the run.
    options
        Range of accuracy.
    found
        Sinks that the weights show.
    """
    masses = question_masses(segments, items)
    right = right_against_wrong(
        masses,
        question_entropies(run.metrics, items),
        run.answers,
        PRETRAINED,
        options.accuracy_range,
    )
    paired = [
        steps(masses),
        variants(masses, items),
        examples(masses),
        shots(masses, items),
    ]
    families = [
        *(paired_rows(differences) for differences in paired),
        sensitivity(checkpoints, shared, run.attention, found),
        right,
    ]
    return adjusted(pl.concat(families)).with_columns(model=pl.lit(model))
