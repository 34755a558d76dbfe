"""Where the series come from, and how windows are cut from them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from attnpipe.schema.base import Fraction, Name, Section


class Windows(Section):
    """What every source of windows needs."""

    name: Name
    """Name of the prepared dataset: its files are `data/<name>.*`."""
    window: Annotated[int, Field(ge=2)]
    """Steps in a window."""
    lead: Annotated[int, Field(ge=0)]
    """Steps from the window's last input to the target."""
    stride: Annotated[int, Field(ge=1)] = 1
    """Steps between the ends of consecutive training windows."""
    evaluation_stride: Annotated[int, Field(ge=1)] = 1
    """Steps between the ends of consecutive validation and test windows."""
    validation_fraction: Fraction = 0.15
    """Share of the rows (one series) or sequences (many) used for validation."""
    test_fraction: Fraction = 0.15
    """Share of the rows (one series) or sequences (many) used for the test."""
    unit_hours: Annotated[float, Field(gt=0)] | None = None
    """Length of the non-overlapping test blocks that statistics count as units; null: the sequence is the unit."""
    probe_samples: Annotated[int, Field(ge=2, multiple_of=2)] = 128
    """Validation windows on which attention is captured, spread evenly, in two interleaved halves."""

    @model_validator(mode="after")
    def _splits_leave_training_data(self) -> "Windows":
        if self.validation_fraction + self.test_fraction >= 0.9:
            raise ValueError("validation_fraction + test_fraction must stay below 0.9")
        return self


class GeomagneticData(Windows):
    """Hourly ring-current index RC; the target is its increment over the lead."""

    kind: Literal["geomagnetic"]
    lead: Annotated[int, Field(ge=1)] = 6
    package: str = "chaosmagpy"
    """Package whose wheel holds the index."""
    version: str = "0.16"
    """Version of the package."""
    sha256: str = "3132122b4516d85a4dee4481007976f5f71901a23c08bf31a2ee33580931364f"
    """SHA-256 of the wheel."""
    member: str = "chaosmagpy/lib/RC_index.h5"
    """File inside the wheel."""
    path: str | None = None
    """A local HDF5 file of the same layout, used instead of the wheel."""


class SteeringData(Windows):
    """Steering logs in comma's CSV layout: one file per segment, at 10 Hz."""

    kind: Literal["steering"]
    lead: Annotated[int, Field(ge=0)] = 0
    path: str | None = None
    """Folder of CSV segments; null: the built-in simulator writes them."""
    segments: Annotated[int, Field(ge=8)] = 120
    """Segments to simulate when no path is given."""
    segment_seconds: Annotated[float, Field(gt=5)] = 60.0
    """Length of a simulated segment."""
    simulator_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the simulator: part of the data, not of the runs."""


class CsvData(Windows):
    """Any table or folder of tables."""

    kind: Literal["csv"]
    path: str
    """A CSV file, or a folder with one CSV file per sequence."""
    features: Annotated[list[str], Field(min_length=1)]
    """Columns that the model sees."""
    target: str
    """Column to predict."""
    increment: bool = False
    """Predict target(t + lead) − target(t) instead of target(t + lead)."""
    sequence: str | None = None
    """Column that names the sequence of a row; null: one per file."""
    time: str | None = None
    """Column of times in seconds, checked against `rate_hz`; null: rows are taken as evenly spaced."""
    rate_hz: Annotated[float, Field(gt=0)] = 1.0
    """Rows per second."""


class SavedWeightsData(Section):
    """Attention weights stored by other software."""

    kind: Literal["saved_weights"]
    name: Name
    """Name of the import: its description is `data/<name>.json`."""
    path: str
    """Folder with the weights."""
    layout: Literal["profiles", "batches", "arrays"] = "profiles"
    """`profiles`: `<prefix>_seed<seed>/attention_epoch_NNN.npy`; `batches`: `attention_batch_NNNN.npz`; `arrays`: npy, npz or safetensors with declared `axes`."""
    prefixes: dict[Name, str] = {}
    """Model name → whole prefix of its folders; empty: every prefix found is a model."""
    files: dict[Name, dict[int, str]] = {}
    """Layout `arrays`: model → seed → file below `path`."""
    axes: list[Literal["layer", "head", "sample", "query", "key"]] = []
    """Layout `arrays`: the meaning of each axis, in order."""
    array: str | None = None
    """Layout `arrays`: which array of an npz or safetensors file; null: the only one."""
    causal: bool = False
    """Whether a query sees only keys up to its own position."""
    final: Literal["test", "last_epoch", "auto"] = "auto"
    """Which weights are final; `auto`: test where present, else the last epoch (mixtures across seeds are flagged)."""
    published_row: dict[Name, Literal["only", "last_query", "mean_query"]] = {}
    """Row that the published profile takes, for models whose weights keep a query axis."""
    max_megabytes: Annotated[float, Field(gt=0)] = 1024.0
    """A file whose array would be larger than this is refused."""


DataSpec = Annotated[
    GeomagneticData | SteeringData | CsvData | SavedWeightsData, Field(discriminator="kind")
]
