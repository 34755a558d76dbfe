"""What predicates must know beside the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from attnpipe.diagnosis.schema import Kind, Provenance


@dataclass(frozen=True)
class TextContext:
    """What findings about texts must know of them.

    Attributes
    ----------
    kind
        ``prompts``: questions, each asked in several ways; ``sentences``: plain texts.
    questions
        How many questions, or sentences.
    variants
        The ways of asking, in the order of the config.
    available
        How many questions could be asked; None of sentences.
    mass_margin
        Differences in attention mass below it do not matter.
    accuracy_range
        Share of right answers between which attention can be related to being right.
    """

    kind: Literal["prompts", "sentences"]
    questions: int
    variants: tuple[str, ...]
    available: int | None = None
    mass_margin: float = 0.01
    accuracy_range: tuple[float, float] = (0.2, 0.8)

    @property
    def unit(self) -> str:
        """What statistics count."""
        return "question" if self.kind == "prompts" else "sentence"


@dataclass(frozen=True)
class DiagnosisContext:
    """The study as far as findings name it.

    Attributes
    ----------
    title
        Title of the study.
    labels
        Model → label, all models in the order of the config.
    attention_models
        Models with attention.
    baselines
        Model → its baseline, or None.
    seeds
        Seeds of the study.
    arms
        Model → its arms that gates ask for.
    interventions
        Names of the interventions that were asked for.
    finetune
        Share of the training steps by which models were trained further under E2 and E3; 0: they
        were not.
    label_nulls
        Model → the same one trained on shuffled labels, where there is one.
    stored_seeds
        Model → its seeds, where saved weights have not all of them for every model.
    window
        Keys in a window; 0 where unknown.
    one_place
        Whether the data have what is looked for at the same place in every sample, by design.
    delta
        Practical margin δ in skill units.
    forecasts
        Whether models forecast something; saved weights come alone.
    texts
        What there is to know in a study of texts; None in others.
    failures
        What could not be done with a run, sentence by sentence, beside what the inventory says.
    provenance
        Config, data and software; None for tables that no study made.
    """

    title: str
    labels: Mapping[str, str]
    attention_models: tuple[str, ...]
    baselines: Mapping[str, str | None]
    seeds: tuple[int, ...]
    arms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    interventions: tuple[str, ...] = ()
    finetune: float = 0.0
    label_nulls: Mapping[str, str] = field(default_factory=dict)
    stored_seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    window: int = 0
    one_place: bool = False
    delta: float = 0.02
    forecasts: bool = True
    texts: TextContext | None = None
    failures: tuple[str, ...] = ()
    provenance: Provenance | None = None

    def seeds_of(self, model: str) -> tuple[int, ...]:
        """Return the seeds of which the model must have a run."""
        return self.stored_seeds.get(model, self.seeds)

    @property
    def kind(self) -> Kind:
        """What is studied: trained forecasters, saved weights, or pretrained models on texts."""
        if self.texts is not None:
            return "text"
        return "forecast" if self.forecasts else "weights"

    @property
    def margins(self) -> tuple[float, ...]:
        """Margins at which the gain is judged: 1, 2 and 5 %, and δ if it is another."""
        return tuple(sorted({0.01, 0.02, 0.05, self.delta}))


def diagnosis_context(
    spec: Mapping[str, Any], description: Mapping[str, Any], failures: Sequence[str] = ()
) -> DiagnosisContext:
    """Return the context from the job's config and the data's description.

    Parameters
    ----------
    spec
        `title`, `context` and, in a study, `provenance`: all of it but the data.
    description
        What is known of the data.
    failures
        As in `DiagnosisContext`.
    """
    study = spec["context"]
    return DiagnosisContext(
        title=spec["title"],
        labels=dict(study["labels"]),
        attention_models=tuple(study["attention_models"]),
        baselines=dict(study["baselines"]),
        seeds=tuple(study["seeds"]),
        arms={model: tuple(of) for model, of in study.get("arms", {}).items()},
        interventions=tuple(study.get("interventions", ())),
        finetune=study.get("finetune", 0.0),
        label_nulls=dict(study.get("label_nulls", {})),
        stored_seeds=_stored(study["seeds"], description.get("models") or {}),
        window=description.get("window") or 0,
        one_place=len(set(description.get("tokens", {}).get("period", ()))) == 1,
        delta=study["delta"],
        forecasts="target" in description,
        texts=_texts(study["text"], description["texts"]) if "text" in study else None,
        failures=tuple(failures),
        provenance=_provenance(spec["provenance"], description) if "provenance" in spec else None,
    )


def _provenance(spec: Mapping[str, Any], description: Mapping[str, Any]) -> Provenance:
    """Add where the data come from; saved weights have a checksum for each file."""
    described = description.get("texts") or description
    data = {key: described[key] for key in ("source", "files") if key in described}
    return Provenance(**spec, data=data)


def _stored(
    seeds: Sequence[int], models: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[int, ...]]:
    """Return, for each model with a seed axis, those of the study's seeds that were saved."""
    return {
        model: tuple(s for s in seeds if s in of["seeds"])
        for model, of in models.items()
        if of.get("seeds")
    }


def _texts(options: Mapping[str, Any], described: Mapping[str, Any]) -> TextContext:
    low, high = options["accuracy_range"]
    return TextContext(
        kind=described["kind"],
        questions=described["questions"],
        variants=tuple(described["variants"]),
        available=described["available"],
        mass_margin=options["mass_margin"],
        accuracy_range=(low, high),
    )
