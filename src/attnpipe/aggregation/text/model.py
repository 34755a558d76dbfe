"""Tables of a run on texts → tables of a model."""

import polars as pl

from attnpipe.aggregation.text.accuracy import accuracy
from attnpipe.aggregation.text.answer_effects import answer_effects
from attnpipe.aggregation.text.contrasts import text_contrasts
from attnpipe.aggregation.text.derived import derived_segments
from attnpipe.aggregation.text.distances import head_clusters, head_distances, model_distances
from attnpipe.aggregation.text.found_sinks import found_sinks
from attnpipe.aggregation.text.heads import heads
from attnpipe.aggregation.text.inventory import inventory
from attnpipe.aggregation.text.items import checkpoints_of, items_of
from attnpipe.aggregation.text.maps import maps
from attnpipe.aggregation.text.metrics import text_summary
from attnpipe.aggregation.text.run import TextModelTables, TextRun
from attnpipe.aggregation.text.segments import segment_summary
from attnpipe.aggregation.text.shared import shared_tokens
from attnpipe.aggregation.text.sinks import CONDITIONS, sink_keys, sinks_by_condition
from attnpipe.aggregation.text.split import last_row_splits
from attnpipe.core.errors import UserError
from attnpipe.core.outcome import Outcome
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.schema.analysis import MetricsSpec, TextSpec
from attnpipe.tables.text import ANSWERS, HEAD_DISTANCES, MAPS, TEXT_TABLES, TOKENS


def aggregate_text(
    model: str,
    run: TextRun | None,
    texts: pl.DataFrame,
    spans: pl.DataFrame,
    options: TextSpec,
    metrics: MetricsSpec,
    outcome: Outcome,
) -> TextModelTables:
    """Fold a model's texts together: the question is the unit of all statistics.

    Parameters
    ----------
    model
        Name of the model.
    run
        Its run; None if it did not end well.
    texts, spans
        `tables.TEXTS` and `tables.SPANS` of the study.
    options
        ``analysis.text`` of the config.
    metrics
        ``analysis.metrics``: the tolerance of rows.
    outcome
        How the run ended.

    Returns
    -------
    TextModelTables
        Without a run, all tables but the inventory are empty.

    Raises
    ------
    UserError
        When the study does not have the representative question, or a view names a layer
        or head that the model does not have.
    """
    texts, spans = (frame.filter(pl.col("model") == model) for frame in (texts, spans))
    listed = inventory(model, run, len(texts), outcome)
    if run is None:
        empty = {name: table.frame() for name, table in TEXT_TABLES.items()}
        return TextModelTables(**empty | {"inventory": listed})

    items = items_of(texts, run.tokens)
    checkpoints = checkpoints_of(run.metrics)
    shown = _representative(items, run.answers, options)
    sinks = sink_keys(run.tokens, options.sinks)
    shared = shared_tokens(items, run.tokens, spans, options.sinks)
    found = FoundSinks.of(run.metrics)
    derived = derived_segments(
        model, checkpoints, run.tokens, shared, run.attention, options.sinks, found
    )
    segments = pl.concat([run.segments, derived.lazy()])
    summary = text_summary(model, run.metrics, items)
    splits = last_row_splits(checkpoints, items, run.attention, metrics, sinks, found)

    clusters, distances, pictures = {}, [HEAD_DISTANCES.frame()], [MAPS.frame()]
    for checkpoint in checkpoints if shown else ():
        full = [run.attention.full(checkpoint, item) for _, item in shown]
        layers, per_layer = full[0].shape[:2]
        removed = [
            {name: gone[0] for name, gone in of.items()}
            for of in (
                sinks_by_condition(checkpoint, [item], layers, sinks, found) for _, item in shown
            )
        ]
        for condition in CONDITIONS:
            # Heads of different layers are compared on the same keys.
            anywhere = [of[condition].any(axis=0) for of in removed]
            far = model_distances(full, anywhere if condition else None)
            table = head_distances(model, checkpoint, condition, far, per_layer, len(full))
            distances.append(table)
            labels = head_clusters(far, min(options.clusters, layers * per_layer))
            clusters[checkpoint, condition] = labels.reshape(layers, per_layer)
        pictures += [
            maps(model, checkpoint, *whose, weights, options.views, gone)
            for whose, weights, gone in zip(shown, full, removed, strict=True)
        ]
    return TextModelTables(
        inventory=listed,
        text_summary=summary,
        segment_summary=segment_summary(model, segments, run.row_segments, items, texts),
        text_contrasts=text_contrasts(
            model, run, segments, items, shared, checkpoints, options, found
        ),
        text_effects=answer_effects(model, run.replaced),
        accuracy=accuracy(model, run.answers),
        heads=heads(model, summary, run.metrics, run.tokens, items, clusters, splits),
        sinks=found_sinks(model, run.metrics, run.tokens, items, checkpoints, sinks),
        head_distances=pl.concat(distances),
        maps=pl.concat(pictures),
        tokens=TOKENS.conform(run.tokens),
        answers=ANSWERS.conform(run.answers),
    )


def _representative(
    items: pl.DataFrame, answers: pl.DataFrame, options: TextSpec
) -> list[tuple[str, int]]:
    """Return variant and item of the texts that are stored in full: not those over the limit."""
    number = options.representative_question
    own = items.filter(pl.col("question") == number).select("variant", "item").rows()
    if not own:
        questions = sorted(items["question"].to_list())
        raise UserError(
            f"analysis.text.representative_question is {number}, but the study has questions "
            f"{questions[0]} to {questions[-1]}; name one of these"
        )
    long = set(answers.filter(pl.col("over_limit").is_not_null())["item"])
    return [(variant, item) for variant, item in own if item not in long]
