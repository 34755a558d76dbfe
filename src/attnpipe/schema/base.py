"""What all sections of the config share."""

from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]
"""A name that becomes part of a path: letters, digits, ``_`` and ``-``."""

T = TypeVar("T")

Width = Annotated[int, Field(ge=1, le=65_536)]
"""Units side by side: generous beside published models, and far from what a number cannot count."""
Depth = Annotated[int, Field(ge=1, le=1_024)]
"""Layers, or heads, of a model."""

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A config section: unknown keys are errors, values cannot be changed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the pydantic models inside a type such as ``dict[str, A | B]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def distinct(given: list[T] | None) -> list[T] | None:
    """Return a list of the config unless it names something twice; for `field_validator`."""
    twice = sorted({str(value) for value in given or () if (given or []).count(value) > 1})
    if twice:
        raise ValueError(f"'{twice[0]}' is listed twice; list it once")
    return given
