"""Keys that a config lacks: whether the schema has them, and where else they stand."""

from collections.abc import Iterator
from typing import Any, get_origin

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel

from attnpipe.schema.base import models_in
from attnpipe.schema.study import StudySpec


def may_be_added(config: Any, where: str, key: str) -> bool:
    """Return whether the schema has a key that a section of the config does not give.

    Parameters
    ----------
    config
        The config.
    where
        The section, which is there.
    key
        The key.
    """
    found = _schemas(config, where.split(".")) if where else [StudySpec]
    return any(key in schema.model_fields for schema in found)


def elsewhere(config: Any, place: str) -> str | None:
    """Return the one key of the config that ends as one that was given without its sections."""
    found = [key for key in _keys(config) if key.endswith(f".{place}")]
    return found[0] if len(found) == 1 else None


def _keys(section: Any, where: str = "") -> Iterator[str]:
    """Yield all keys below a section, those of sections included."""
    for key in section:
        yield f"{where}{key}"
        if OmegaConf.is_missing(section, key) or OmegaConf.is_interpolation(section, key):
            continue  # what it stands for may not be there
        if isinstance(section[key], DictConfig):
            yield from _keys(section[key], f"{where}{key}.")


def _schemas(config: Any, parts: list[str]) -> list[type[BaseModel]]:
    """Return what a section may be, by its own `kind` and that of those around it."""
    schemas: list[type[BaseModel]] = [StudySpec]
    left, walked = list(parts), []
    while left and schemas:
        walked.append(left.pop(0))
        fields = [s.model_fields[walked[-1]] for s in schemas if walked[-1] in s.model_fields]
        if left and any(get_origin(field.annotation) is dict for field in fields):
            walked.append(left.pop(0))  # an entry, whose name is the user's
        elif any(get_origin(field.annotation) is dict for field in fields):
            return []
        kind = OmegaConf.select(
            config,
            ".".join([*walked, "kind"]),
            throw_on_missing=False,
            throw_on_resolution_failure=False,
        )
        schemas = [s for field in fields for s in models_in(field.annotation) if _fits(s, kind)]
    return schemas


def _fits(schema: type[BaseModel], kind: Any) -> bool:
    field = schema.model_fields.get("kind")
    return field is None or kind in getattr(field.annotation, "__args__", ())
