"""Where the series come from, and how windows are cut from them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from attnpipe.schema.base import Fraction, Name, Section
from attnpipe.schema.text import PromptsData, SentencesData


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
            raise ValueError(
                f"validation_fraction is {self.validation_fraction:g} and test_fraction "
                f"{self.test_fraction:g}; their sum must stay below 0.9"
            )
        return self


class GeomagneticData(Windows):
    """Hourly ring-current index RC; the target is its increment over the lead."""

    kind: Literal["geomagnetic"]
    lead: Annotated[int, Field(ge=1)] = 6
    """Hours from the window's last input to the target."""
    unit_hours: Annotated[float, Field(gt=0)] = 648.0
    """Length of the non-overlapping test blocks that statistics count as units; 648 h is one rotation of the Sun."""
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
    segments: Annotated[int, Field(ge=8, le=1_000_000)] = 200
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
    units: dict[str, str] = {}
    """Column → its unit, for axes and descriptions."""

    @model_validator(mode="after")
    def _columns_and_lead_fit(self) -> "CsvData":
        if self.increment and self.lead == 0:
            raise ValueError(
                "increment is true but lead is 0, so that every target is 0; raise lead"
            )
        if self.lead == 0 and self.target in self.features:
            raise ValueError(
                f"lead is 0 and target '{self.target}' is among the features, so that the model "
                "reads its answer; raise lead or drop the feature"
            )
        if self.sequence is not None and self.sequence in (*self.features, self.target, self.time):
            raise ValueError(
                f"sequence is '{self.sequence}', which is also a feature, the target or the time; "
                "name a column that only tells sequences apart"
            )
        twice = sorted({name for name in self.features if self.features.count(name) > 1})
        if twice:
            raise ValueError(f"features: '{twice[0]}' is listed twice; list each column once")
        columns = {*self.features, self.target, self.time, self.sequence}
        unknown = sorted(set(self.units) - columns)
        if unknown:
            raise ValueError(f"units: '{unknown[0]}' is no column in use; name features or target")
        return self


SyntheticCase = Literal[
    "lag", "last", "mean", "selcopy", "recall", "random", "sink", "lengths", "alone", "margin",
]  # fmt: skip


class DrawnData(Windows):
    """Windows that are drawn at random: each is a sequence and a unit of its own."""

    lead: Annotated[int, Field(ge=0, le=0)] = 0
    """Always 0: the target belongs to the last step."""
    train_windows: Annotated[int, Field(ge=2)] = 20_000
    """Windows to train on."""
    validation_windows: Annotated[int, Field(ge=2)] = 500
    """Windows for validation, the probe set among them."""
    test_windows: Annotated[int, Field(ge=2)] = 500
    """Windows that effects are estimated on."""
    data_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the generator: part of the data, not of the runs."""

    @model_validator(mode="after")
    def _probe_fits(self) -> "DrawnData":
        if self.probe_samples > self.validation_windows:
            raise ValueError(
                f"probe_samples is {self.probe_samples}, but there are {self.validation_windows} "
                "validation windows; lower it"
            )
        return self


class SyntheticData(DrawnData):
    """A made-up task whose right diagnosis is known."""

    kind: Literal["synthetic"]
    case: SyntheticCase
    """What the target depends on; see `docs/calibration.md`."""
    window: Annotated[int, Field(ge=8, le=65_536)] = 16
    """Steps in a window."""


class InductionData(DrawnData):
    """Random tokens in a block that is repeated: the next one can be known by looking back.

    A block holds each token at most once, so that there is one place to look.
    """

    kind: Literal["induction"]
    window: Annotated[int, Field(ge=8, le=65_536)] = 48
    """Tokens that a model reads."""
    vocabulary: Annotated[int, Field(ge=4, le=65_536)] = 32
    """Number of distinct tokens."""
    period: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2, max_length=2)] = [
        8,
        20,
    ]
    """Shortest and longest block. One length for all sequences would tell by position alone where to look."""
    train_windows: Annotated[int, Field(ge=2)] = 60_000
    """Sequences to train on."""

    @model_validator(mode="after")
    def _blocks_repeat(self) -> "InductionData":
        shortest, longest = self.period
        if shortest > longest:
            raise ValueError(f"period is [{shortest}, {longest}]; name the shorter block first")
        if longest > self.vocabulary:
            raise ValueError(
                f"period goes up to {longest}, but there are only {self.vocabulary} distinct "
                "tokens; a block holds each at most once"
            )
        if 2 * longest > self.window:
            raise ValueError(
                f"period goes up to {longest}, but a window has only {self.window} tokens; a block "
                "must be repeated at least once"
            )
        return self


SavedAxis = Literal["layer", "head", "sample", "query", "key"]


class SavedWeightsData(Section):
    """Attention weights stored by other software."""

    kind: Literal["saved_weights"]
    name: Name
    """Name of the import; the model's name in layout `batches` without `prefixes`."""
    path: str
    """Folder with the weights."""
    layout: Literal["profiles", "batches", "arrays"] = "profiles"
    """`profiles`: `<prefix>_seed<seed>/attention_epoch_NNN.npy` and `attention_test.npy`; `batches`: `attention_batch_NNNN.npz`; `arrays`: npy, npz or safetensors listed in `files`."""
    prefixes: dict[Name, str] = {}
    """Model → whole prefix of its folders (`profiles`) or subfolder with its batches (`batches`); empty: every prefix found, or the folder itself."""
    files: dict[Name, dict[Annotated[int, Field(ge=0, lt=2**32, strict=False)], str]] = {}
    """Layout `arrays`: model → seed → file below `path`."""
    axes: list[SavedAxis] = []
    """Meaning of each axis of a stored array, in order; empty: [key] in `profiles`, [layer, head, query, key] in `batches`; required in `arrays`."""
    keys: Annotated[int, Field(ge=2)] | None = None
    """How many keys every file has, other numbers being refused; null: each model's files decide by their majority."""
    array: str | None = None
    """Which array of an npz or safetensors file; null: `attention_weights` in `batches`, else the only one."""
    averaged_over: list[Literal["layer", "head", "sample", "query"]] | None = None
    """Axes over which the weights were averaged before they were saved; null: `sample` where `axes` has no sample axis, but nothing in `batches`, where a file is a sample."""
    causal: bool = False
    """Whether a query sees only keys up to its own position; mass beyond is then refused."""
    final: Literal["test", "last_epoch", "auto"] = "auto"
    """Which weights are final; `auto`: test where present, else the last epoch (mixtures across seeds are flagged)."""
    published_row: dict[Name, Literal["only", "last_query", "mean_query"]] = {}
    """Model → row that its published profile takes; absent: the only row, or `mean_query` of many. Without a query axis, `mean_query` says that the stored row is a mean over queries."""
    tolerance: Annotated[float, Field(gt=0, le=0.01)] | None = None
    """Largest |row sum − 1| that is taken for rounding and divided away; null: 1e-5, in half precision 5e-3."""
    max_megabytes: Annotated[float, Field(gt=0)] = 512.0
    """A run whose arrays would together take more memory than this is refused."""

    @model_validator(mode="after")
    def _keys_fit_the_layout(self) -> "SavedWeightsData":
        if self.axes and "key" not in self.axes:
            raise ValueError("axes must name 'key': the axis over which a row sums to 1")
        twice = [axis for axis in self.axes if self.axes.count(axis) > 1]
        if twice:
            raise ValueError(f"axes names '{twice[0]}' twice; name each axis once")
        if self.layout == "arrays" and not (self.axes and self.files):
            raise ValueError("layout 'arrays' needs 'files' (model → seed → file) and 'axes'")
        if self.layout != "arrays" and self.files:
            raise ValueError(
                f"'files' has no use in layout '{self.layout}'; set layout to 'arrays'"
            )
        if self.layout == "arrays" and self.prefixes:
            raise ValueError("'prefixes' has no use in layout 'arrays'; name the models in 'files'")
        if self.layout == "profiles" and self.array is not None:
            raise ValueError("'array' has no use in layout 'profiles': an npy holds one array")
        if self.layout != "profiles" and self.final == "last_epoch":
            raise ValueError(f"layout '{self.layout}' has no epochs; set final to 'auto'")
        for axis in self.averaged_over or ():
            if axis in self.axes and axis != "sample":
                raise ValueError(
                    f"'{axis}' stands in both axes and averaged_over; an averaged axis is gone"
                )
        sources = list(self.prefixes.values())
        doubled = [source for source in sources if sources.count(source) > 1]
        if doubled:
            raise ValueError(f"prefixes gives '{doubled[0]}' to two models; name it once")
        return self


Source = GeomagneticData | SteeringData | CsvData | SyntheticData | InductionData
"""Where windows come from."""

DataSpec = Annotated[
    Source | SavedWeightsData | PromptsData | SentencesData, Field(discriminator="kind")
]

_SOURCE: TypeAdapter[Source] = TypeAdapter(Annotated[Source, Field(discriminator="kind")])


def parse_source(document: Mapping[str, Any]) -> Source:
    """Return the source of windows that a job's param describes."""
    return _SOURCE.validate_python(document)
