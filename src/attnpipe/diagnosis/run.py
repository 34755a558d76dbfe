"""Tables → findings with their evidence."""

from collections.abc import Mapping

import polars as pl

from attnpipe.diagnosis.book import Book, Case
from attnpipe.diagnosis.collect import collect
from attnpipe.diagnosis.context import DiagnosisContext, diagnosis_context
from attnpipe.diagnosis.gates import NO_SEED_AXIS, SEED_AXIS
from attnpipe.diagnosis.registry import PREDICATES
from attnpipe.diagnosis.schema import Diagnosis, Finding, ModelEntry
from attnpipe.tables.study import STUDY_TABLES

__all__ = ["diagnose", "diagnosis_context"]


def diagnose(tables: Mapping[str, pl.DataFrame], context: DiagnosisContext) -> Diagnosis:
    """Ask every predicate about every model it concerns, then about the study.

    Parameters
    ----------
    tables
        Name → table of the study, as in `tables.STUDY_TABLES`; absent ones (no
        comparisons of saved weights) count as empty.
    context
        The study.

    Returns
    -------
    Diagnosis
        Findings on the study first, then model by model in the order of the config; the
        evidence they cite, sorted by id. The same tables give the same diagnosis.
    """
    present = {
        name: tables.get(name, table.frame()).with_columns(pl.selectors.float().fill_nan(None))
        for name, table in STUDY_TABLES.items()
    }
    book = collect(present)
    findings: list[Finding] = []
    for model in context.labels:
        found: dict[str, Finding] = {}
        for name, predicate in PREDICATES.items():
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
    of_study = _of_study(book, context, findings)
    return Diagnosis(
        title=context.title,
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
        delta=context.delta,
        findings=[*of_study, *findings],
        evidence=[book[i] for i in sorted({i for f in [*of_study, *findings] for i in f.evidence})],
    )


def _of_study(book: Book, context: DiagnosisContext, findings: list[Finding]) -> list[Finding]:
    by_id = {finding.id: finding for finding in findings}
    asked = (
        predicate.ask(Case(name, predicate.question, None, book, context, by_id))
        for name, predicate in PREDICATES.items()
        if predicate.scope == "study"
    )
    return [finding for finding in asked if finding is not None]
