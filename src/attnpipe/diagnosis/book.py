"""Evidence by name, and the case that a predicate judges."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from attnpipe.diagnosis.context import DiagnosisContext, TextContext
from attnpipe.diagnosis.gates import few_seeds
from attnpipe.diagnosis.schema import Evidence, Finding, Status
from attnpipe.stats.wilson import wilson_interval


class Book(Mapping[str, Evidence]):
    """All evidence of a study by id."""

    def __init__(self, evidence: Iterable[Evidence]) -> None:
        self._evidence = {e.id: e for e in sorted(evidence, key=lambda e: e.id)}
        self._heads: dict[str, list[Evidence]] = {}
        self._about: dict[str, list[Evidence]] = {}
        for e in self._evidence.values():
            self._heads.setdefault(str(e.facts.get("of", e.id)), []).append(e)
            if e.id.count(".") > 1:
                self._about.setdefault(_family(e.id), []).append(e)
        self._expected: dict[str, int] = {}
        for name, of in self._heads.items():
            family = _family(name)
            self._expected[family] = max(self._expected.get(family, 0), len(of))

    def __getitem__(self, key: str) -> Evidence:
        return self._evidence[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._evidence)

    def __len__(self) -> int:
        return len(self._evidence)

    def about(self, kind: str, model: str) -> list[Evidence]:
        """Return all evidence of one kind about a model, e.g. its runs, by id."""
        return self._about.get(f"{kind}.{model}", [])

    def heads(self, name: str) -> list[Evidence]:
        """Return the evidence of every layer and head under one name, or none at all.

        Heads that other numbers of the model have and this one lacks leave it incomplete:
        then it counts as absent.
        """
        of = self._heads.get(name, [])
        return of if len(of) == self._expected.get(_family(name)) else []


@dataclass(frozen=True)
class Count:
    """An effect that is counted here, and stands in no one row; the names are a finding's."""

    effect: float
    unit: str
    lo95: float | None = None
    hi95: float | None = None
    n_seeds: int | None = None


def _family(name: str) -> str:
    """Return kind and model of an id: its evidence has the same layers and heads throughout."""
    return ".".join(name.split(".")[:2])


@dataclass(frozen=True)
class Case:
    """What one predicate is asked: about a model, or about the study.

    Attributes
    ----------
    predicate, question
        Name of the predicate and what it answers.
    model
        The model, or None for the study.
    book
        All evidence.
    context
        The study.
    found
        Findings so far: predicate → finding of this model; for the study, id → finding.
    """

    predicate: str
    question: str
    model: str | None
    book: Book
    context: DiagnosisContext
    found: Mapping[str, Finding] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the model; only for predicates about models."""
        assert self.model is not None
        return self.model

    @property
    def label(self) -> str:
        """Label of the model."""
        return self.context.labels[self.name]

    @property
    def replicates(self) -> bool:
        """Whether the model's runs are replicates under different seeds, or it is not known."""
        return all(e.facts["has_seeds"] is not False for e in self.of_model("run"))

    def metric(self, name: str) -> list[Evidence]:
        """Return a metric of the model's final weights, of every head, or nothing."""
        return self.book.heads(f"metric.{self.name}.{name}")

    def of_model(self, kind: str) -> list[Evidence]:
        """Return all evidence of one kind about the model, e.g. its runs."""
        return self.book.about(kind, self.name)

    def few_seeds(self, evidence: Evidence) -> list[str]:
        """Name the seeds that are missing for a decision, if any."""
        return few_seeds(evidence, replicates=self.replicates)

    @property
    def forecasts(self) -> bool:
        """Whether the study makes forecasts at all, or knows weights alone."""
        return self.context.forecasts

    @property
    def texts(self) -> TextContext:
        """What is known of the texts; only for predicates about texts."""
        assert self.context.texts is not None
        return self.context.texts

    @property
    def untested(self) -> str:
        """End of a sentence whose number is described only."""
        return "too few seeds to test it." if self.replicates else "unknowable over seeds."

    def answer(
        self,
        status: Status,
        sentence: str,
        evidence: Iterable[Evidence] = (),
        *,
        effect: Evidence | Count | None = None,
        **fields: Any,
    ) -> Finding:
        """Return the finding; `effect` is the evidence whose estimate decides, of any head.

        It is a count where that is what was asked for.
        """
        if isinstance(effect, Count):
            fields = asdict(effect) | fields
        elif effect is not None:
            fields = {
                **self._size(effect),
                "unit": effect.unit, "n_seeds": effect.n_seeds, "n_units": effect.n_units,
            } | fields  # fmt: skip
        return Finding(
            id=f"{self.predicate}.{self.model or 'study'}",
            predicate=self.predicate,
            model=self.model,
            question=self.question,
            status=status,
            sentence=sentence,
            evidence=sorted({e.id for e in evidence}),
            **fields,
        )

    def share(self, part: int, runs: int) -> Count:
        """Return the share of some of the runs, with Wilson's interval.

        Different seeds are independent trials; without a seed axis there is no interval.
        """
        if not self.replicates:
            return Count(part / runs, "share of runs")
        low, high = wilson_interval(part, runs)
        return Count(part / runs, "share of runs", low, high, n_seeds=runs)

    def counted(self, value: float, unit: str, runs: int) -> Count:
        """Return a number that is counted over runs and has no interval."""
        return Count(value, unit, n_seeds=runs if self.replicates else None)

    def _size(self, effect: Evidence) -> dict[str, Any]:
        """Return the estimate with its interval, or the range over heads: no head is the model."""
        heads = self.book.heads(str(effect.facts.get("of", effect.id)))
        if len(heads) > 1:
            known = [e.estimate for e in heads if e.estimate is not None]
            return {"effect_range": (min(known), max(known)) if known else None}
        return {"effect": effect.estimate, "lo95": effect.lo95, "hi95": effect.hi95}

    def lacking(
        self,
        sentence: str,
        missing: Iterable[str],
        evidence: Iterable[Evidence] = (),
        **fields: Any,
    ) -> Finding:
        """Return an undecided finding that names what is missing."""
        return self.answer("INCONCLUSIVE", sentence, evidence, missing=list(missing), **fields)
