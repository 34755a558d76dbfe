"""Tables → findings with their evidence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from attnpipe.diagnosis.book import Book, Case
from attnpipe.diagnosis.collect import collect
from attnpipe.diagnosis.context import DiagnosisContext, diagnosis_context
from attnpipe.diagnosis.gates import NO_SEED_AXIS, SEED_AXIS
from attnpipe.diagnosis.registry import PREDICATES, Predicate
from attnpipe.diagnosis.schema import Diagnosis, Finding, ModelEntry
from attnpipe.diagnosis.text.collect import collect as collect_text
from attnpipe.diagnosis.text.registry import PREDICATES as TEXT_PREDICATES
from attnpipe.tables.base import Table
from attnpipe.tables.compression import COMPRESSION
from attnpipe.tables.study import STUDY_TABLES
from attnpipe.tables.text import TEXT_TABLES

__all__ = ["diagnose", "diagnosis_context"]


@dataclass(frozen=True)
class _Way:
    """Which tables a kind of study has, how they become evidence, and what is asked of it."""

    tables: Mapping[str, Table]
    collect: Callable[[Mapping[str, pl.DataFrame]], Book]
    predicates: Mapping[str, Predicate]


SHORTENED = {"compression": COMPRESSION}
"""Of models that read from left to right, whatever the kind of study."""
_SEEDED = _Way(STUDY_TABLES | SHORTENED, collect, PREDICATES)
_TEXT = _Way(TEXT_TABLES | SHORTENED, collect_text, TEXT_PREDICATES)


def diagnose(tables: Mapping[str, pl.DataFrame], context: DiagnosisContext) -> Diagnosis:
    """Ask every predicate about every model it concerns, then about the study.

    Parameters
    ----------
    tables
        Name → table of the study, as in `tables.STUDY_TABLES`, or `tables.TEXT_TABLES` for
        texts; absent ones (no comparisons of saved weights) count as empty.
    context
        The study; its kind decides what is asked.

    Returns
    -------
    Diagnosis
        Findings on the study first, then model by model in the order of the config; the
        evidence they cite, sorted by id. The same tables give the same diagnosis.
    """
    way = _TEXT if context.kind == "text" else _SEEDED
    present = {
        name: tables.get(name, table.frame()).with_columns(pl.selectors.float().fill_nan(None))
        for name, table in way.tables.items()
    }
    book = way.collect(present)
    findings: list[Finding] = []
    for model in context.labels:
        found: dict[str, Finding] = {}
        for name, predicate in way.predicates.items():
            concerns = predicate.scope == "model" or (
                predicate.scope == "attention" and model in context.attention_models
            )
            if concerns:
                case = Case(name, predicate.question, model, book, context, found)
                finding = predicate.ask(case)
                if finding is not None and predicate.over_seeds and not case.replicates:
                    finding = case.lacking(NO_SEED_AXIS, [SEED_AXIS], case.of_model("run"))
                if finding is not None:
                    found[name] = finding
        findings += found.values()
    of_study = _of_study(way.predicates, book, context, findings)
    return Diagnosis(
        kind=context.kind,
        title=context.title,
        provenance=context.provenance,
        models=[
            ModelEntry(
                name=model,
                label=label,
                attention=model in context.attention_models,
                baseline=context.baselines.get(model),
            )
            for model, label in context.labels.items()
        ],
        seeds=list(context.seeds),
        delta=context.delta if context.texts is None else context.texts.mass_margin,
        units=None if context.texts is None else context.texts.questions,
        findings=[*of_study, *findings],
        evidence=[book[i] for i in sorted({i for f in [*of_study, *findings] for i in f.evidence})],
    )


def _of_study(
    predicates: Mapping[str, Predicate],
    book: Book,
    context: DiagnosisContext,
    findings: list[Finding],
) -> list[Finding]:
    by_id = {finding.id: finding for finding in findings}
    asked = (
        predicate.ask(Case(name, predicate.question, None, book, context, by_id))
        for name, predicate in predicates.items()
        if predicate.scope == "study"
    )
    return [finding for finding in asked if finding is not None]
