"""What a diagnosis consists of: evidence, and findings that rest on it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1

Status = Literal["YES", "NO", "HARM", "INCONCLUSIVE", "DESCRIPTIVE", "INVALID"]
"""Answer to a finding's question; NO is shown, not assumed; HARM: the opposite is shown."""

Kind = Literal["forecast", "weights", "text"]
"""What is studied: trained forecasters, saved weights, or pretrained models on texts."""

Cell = str | int | float | bool | None


class Document(BaseModel):
    """A part of the diagnosis: unknown keys are errors, numbers are finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Evidence(Document):
    """One row of one table."""

    id: str
    """Readable and stable, e.g. `gain.lstm_small_simple.skill_units`."""
    table: str
    """File that holds it, e.g. `comparisons.csv`."""
    row: dict[str, Cell]
    """Column → value, which together identify the row; null means an empty cell."""
    estimate: float | None = None
    """The number."""
    lo95: float | None = None
    """Lower end of its interval."""
    hi95: float | None = None
    """Upper end of its interval."""
    n_seeds: int | None = None
    """Seeds behind it."""
    n_units: int | None = None
    """Units behind it, beside the seeds; questions or sentences in studies of texts."""
    unit: str = ""
    """Unit of the number."""
    facts: dict[str, Cell] = {}
    """Other cells of the row that findings rest on."""


class Flag(Document):
    """What a reader must know beside a diagnosis."""

    sentence: str
    """What it says."""
    evidence: list[str]
    """Ids of what it rests on."""


class GateRow(Document):
    """One gate of a verdict: what was asked, and the effect that answers it at δ."""

    code: str
    """`E1` to `E4`, `R0` to `R2`."""
    question: str
    """What was asked."""
    status: Status
    """The answer; INCONCLUSIVE also where there is no evidence."""
    effect: float | None = None
    """Loss of skill, as a share of the model's skill, when attention is replaced."""
    lo95: float | None = None
    """Lower end of its interval."""
    hi95: float | None = None
    """Upper end of its interval."""
    n_seeds: int | None = None
    """Seeds behind it."""
    n_units: int | None = None
    """Units behind it."""
    p_null: float | None = None
    """Two-sided p of the null: that it makes no difference at all."""
    p_claim_holm: float | None = None
    """p of the answer at δ, adjusted over the study's models (Holm)."""
    parameters: tuple[int, int] | None = None
    """Trainable parameters of the model trained anew, and of the one that is judged."""
    evidence: str | None = None
    """Id of the evidence."""


class Finding(Document):
    """One sentence of the report: emitted by a predicate, never printed by default."""

    id: str
    """Predicate and model, e.g. `gain.lstm_small_simple`."""
    predicate: str
    """Which predicate emitted it."""
    model: str | None
    """The model it is about; null for the whole study."""
    question: str
    """What was asked."""
    status: Status
    """The answer."""
    sentence: str
    """The answer in words, with its numbers."""
    evidence: list[str] = []
    """Ids of everything it rests on."""
    effect: float | None = None
    """The estimate that decides, or what was counted.

    Null where several heads have one each, or nothing was measured."""
    effect_range: tuple[float, float] | None = None
    """Smallest and largest of these estimates, where there are several heads or prompts."""
    lo95: float | None = None
    """Lower end of its interval; null for what is merely counted."""
    hi95: float | None = None
    """Upper end of its interval."""
    unit: str = ""
    """Unit of the effect."""
    n_seeds: int | None = None
    """Seeds behind the effect."""
    n_units: int | None = None
    """Units behind the effect."""
    sensitivity: dict[str, Status] = {}
    """Practical margin δ → the answer it would give."""
    as_published: str | None = None
    """Verdict word of the earlier published rules, quoted and not ours."""
    missing: list[str] = []
    """What must be run, or which evidence is lacking, to decide."""
    diagnosis: str | None = None
    """Name of the diagnosis, for verdicts."""
    recommendation: str | None = None
    """What follows from it."""
    gates: list[GateRow] = []
    """The gates that it was decided by."""
    flags: dict[str, Flag] = {}
    """Flag → what it says, and what it rests on."""
    at_margins: dict[str, str] = {}
    """Practical margin δ → the diagnosis it would give."""
    next_overrides: list[str] = []
    """What to run next, in the grammar of `overrides`."""


class ModelEntry(Document):
    """A model of the study."""

    name: str
    """As in config and tables."""
    label: str
    """For readers."""
    attention: bool
    """Whether it has attention."""
    baseline: str | None
    """The model it is compared with."""


class Provenance(Document):
    """What the findings come from."""

    study: str
    """Name of the study; its resolved config is `results/<study>/config.json`."""
    scale: str
    """Which sizes were chosen."""
    config_sha256: str
    """SHA-256 of `config` in that file without `figure` and `resources`, of `data.path` the name
    alone, as JSON with sorted keys and without spaces."""
    data: dict[str, Any]
    """Where the data come from, with version and checksum."""
    versions: dict[str, str]
    """Package → version, of all that tables and findings rest on."""


class Diagnosis(Document):
    """Everything the report says, with what it rests on."""

    schema_version: int = SCHEMA_VERSION
    """Version of this layout."""
    kind: Kind = "forecast"
    """What is studied."""
    title: str
    """Title of the study."""
    provenance: Provenance | None = None
    """Config, data and software; null for tables that no study made."""
    models: list[ModelEntry]
    """In the order of the config."""
    seeds: list[int]
    """Seeds of the study."""
    delta: float
    """Practical margin δ, in units of skill; in studies of texts, of attention mass."""
    units: int | None = None
    """Questions or sentences in a study of texts."""
    confidence: float = 0.95
    """Level of the intervals `lo95` to `hi95`; the same in every study."""
    findings: list[Finding]
    """The study first, then model by model."""
    evidence: list[Evidence]
    """Sorted by id; all that findings refer to, and no other."""
