"""Which figures are drawn, and in which style."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from attnpipe.schema.base import Name, Section, distinct

Sequential = Literal["cividis", "viridis", "plasma", "inferno", "magma", "Blues", "Greys"]
Diverging = Literal["RdBu_r", "RdBu", "PuOr_r", "PuOr", "BrBG_r", "BrBG", "PRGn_r", "PRGn"]
"""Colour maps that stay readable without colour vision."""

Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]

READ_BY: dict[str, tuple[str, ...]] = {
    "tokens": ("prompt_maps",),
    "log": ("prompt_maps", "head_atlas"),
    "metrics": ("head_atlas",),
    "condition": ("prompt_maps", "head_atlas", "head_similarity"),
    "spans": ("segment_mass",),
    "view": (
        "prompt_maps", "head_atlas", "layer_entropy", "segment_mass", "few_shot", "keywords",
    ),
}  # fmt: skip
"""Option → the only figures that have a use for it."""


class StyleSpec(Section):
    """What all figures share."""

    width_px: Annotated[int, Field(ge=400, le=4000)] = 900
    """Width of the PNG."""
    dpi: Annotated[int, Field(ge=50, le=600)] = 150
    """Pixels per inch: larger means larger text."""
    palette: Annotated[list[Color], Field(min_length=3)] = [
        "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000",
    ]  # fmt: skip
    """Colours of the models, those with attention first, each in the order of the config, or of the variants of a prompt; repeated with other markers (Okabe and Ito's colour-blind safe set)."""
    sequential: Sequential = "cividis"
    """Matplotlib colour map of heatmaps."""
    diverging: Diverging = "RdBu_r"
    """Matplotlib colour map around zero."""


class FigureOptions(Section):
    """Options of one figure; null takes the style's value, or the figure's own default."""

    color: Color | None = None
    """Colour of reference lines, of bands of no effect, and of what is not coloured by model or variant."""
    colormap: Sequential | Diverging | None = None
    """Matplotlib colour map."""
    tokens: Annotated[int, Field(ge=-200, le=200)] | None = None
    """Tokens that `prompt_maps` shows: the first so many, or the last if negative, with the special tokens and the first one before them; null: the first 20."""
    view: Annotated[str, Field(min_length=1)] | None = None
    """What is shown of several. `prompt_maps`: one of `analysis.text.views` (null: `last_layer`). `keywords`: `last_layer` (null), `mean`, or one head as `l3h2`. `head_atlas`: a variant (null: the first). `layer_entropy`, `segment_mass`, `few_shot`: `all_keys`, `sinks_removed` or `found_sinks_removed` (null: `all_keys`; `segment_mass`: `sinks_removed`)."""
    log: bool | None = None
    """Whether the colours of `prompt_maps` and `head_atlas` are on a logarithmic scale; null: no."""
    metrics: Annotated[list[str], Field(min_length=1, max_length=24)] | None = None
    """Metrics that `head_atlas` shows: of the last token's row where that has them, else of all rows; `all/<metric>` and `last/<metric>` choose. Null: entropy, largest weight, sink mass and the head scores."""

    condition: Literal["all_keys", "sinks_removed"] | None = None
    """With which keys `prompt_maps`, `head_atlas` and `head_similarity` are drawn: `all_keys`, or `sinks_removed` (weights off the declared sinks, renormalised). Null: `all_keys`; `head_similarity`: both, and `found_sinks_removed` (also off the sinks that the weights show), side by side, as a shared sink makes heads look alike."""

    spans: Annotated[list[str], Field(min_length=1)] | None = None
    """Parts of the prompt that `segment_mass` shows: `system`, `instruction`, `examples_questions`, `examples_answers`, `question`, `answer_cue`; null: all."""

    _distinct = field_validator("spans")(distinct)

    @model_validator(mode="after")
    def _some_tokens_are_shown(self) -> "FigureOptions":
        if self.tokens == 0:
            raise ValueError("tokens is 0, which shows nothing; give a number, or null for 20")
        return self


class FigureSpec(Section):
    """The figures of a study."""

    style: StyleSpec = StyleSpec()
    """Shared style."""
    representative_seed: int | None = None
    """Seed shown where only one can be; null: the smallest."""
    show: dict[Name, FigureOptions]
    """Figure name → its options."""

    @model_validator(mode="after")
    def _options_have_a_use(self) -> "FigureSpec":
        for figure, options in self.show.items():
            for option, readers in READ_BY.items():
                if getattr(options, option) is not None and figure not in readers:
                    raise ValueError(
                        f"show.{figure}.{option} has no use, only {', '.join(readers)} "
                        f"{'reads' if len(readers) == 1 else 'read'} it; set it to null"
                    )
        return self
