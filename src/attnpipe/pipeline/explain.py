"""Turn a pydantic error into one sentence with key, value and nearest valid name."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from attnpipe.core.registry import nearest
from attnpipe.pipeline.explain_sections import how_to_change
from attnpipe.schema.base import NAME, models_in


def explain(error: ValidationError, schema: type[BaseModel], container: Mapping[str, Any]) -> str:
    """Return the first fault of a config as one sentence, and how many more there are."""
    faults = error.errors(include_url=False)
    first = faults[0]
    absent = first["type"] == "missing"  # the last part is then a key, else maybe a union's tag
    key = ".".join(str(part) for part in _real_keys(first["loc"], container, absent))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return _sentence(first, key, schema) + more


def _sentence(fault: Any, key: str, schema: type[BaseModel]) -> str:
    value = fault["input"]
    kind = fault["type"]
    message = fault["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = [name for name in _siblings(fault["loc"], schema) if name]
        return f"unknown key '{key}': {nearest(str(fault['loc'][-1]), known)}"
    if kind == "missing":
        return f"'{key}' has no value; give it, e.g. overrides='{key}=…'"
    if kind == "union_tag_not_found":
        cure = f"give +{key}.kind=…, too"
        if key.startswith("models."):
            cure += f", or begin with a model of config/model: +model@{key}=<member>"
        return f"'{key}' has no 'kind'; {cure}"
    if kind == "value_error":
        return f"{key}: {message}" if key else message
    if kind in ("union_tag_invalid", "literal_error", "enum"):
        expected = fault.get("ctx", {}).get("expected_tags") or fault.get("ctx", {}).get("expected")
        words = [w.strip(" '") for w in str(expected).replace(" or ", ",").split(",")]
        what = value.get("kind") if isinstance(value, dict) else value
        where = f"{key}.kind" if isinstance(value, dict) else key
        return f"{_whose(where, repr(what))}: {nearest(str(what), words)}"
    shown = "null" if value is None else repr(value)
    said = _example(kind, key, value, fault.get("ctx", {})) or message[0].lower() + message[1:]
    return f"{_whose(key, shown)}: {said}"


def _whose(key: str, shown: str) -> str:
    """Say which value it is: in a list by itself, as overrides have no names for its places."""
    whole, _, place = key.rpartition(".")
    return f"'{whole}' has {shown}" if place.isdecimal() and whole else f"'{key}' is {shown}"


SECTIONS = ("dict_type", "model_type", "model_attributes_type")
"""Kinds of faults: a value where a section should stand."""
HEX_COLOUR = "^#[0-9a-fA-F]{6}$"


def _example(kind: str, key: str, value: Any, about: Mapping[str, Any]) -> str | None:
    """Return what to write instead of a value of the wrong form, where an example tells it."""
    if kind == "list_type" and isinstance(value, str | int | float):
        return f"it is a list; write {key}=[{value}]"
    if kind in SECTIONS and value is not None:
        return how_to_change(key)
    if kind == "string_pattern_mismatch" and about.get("pattern") == HEX_COLOUR:
        return f"""a colour has six hexadecimal digits; write overrides='{key}="#0072B2"'"""
    if kind == "string_pattern_mismatch" and about.get("pattern") == NAME:
        return (
            "a name has letters, digits, - and _, at most 64 of them, and begins with a letter or "
            "digit"
        )
    return None


def _real_keys(location: Sequence[Any], container: Any, absent: bool) -> list[Any]:
    """Drop the parts of a pydantic location that are union tags, not keys."""
    keys: list[Any] = []
    node = container
    for index, part in enumerate(location):
        last = absent and index == len(location) - 1
        if isinstance(node, dict) and (part in node or last):
            keys.append(part)
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            keys.append(part)
            node = node[part]
    return keys


def _siblings(location: Sequence[Any], schema: type[BaseModel]) -> list[str]:
    """Return the valid keys beside the one at `location`."""
    candidates: list[Any] = [schema]
    for part in location[:-1]:
        following: list[Any] = []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                if part in candidate.model_fields:
                    following += models_in(candidate.model_fields[part].annotation)
                elif _tag(candidate) == part:
                    following.append(candidate)
            else:
                following.append(candidate)
        candidates = following or candidates
    tagged = [c for c in candidates if _tag(c) in location]
    return sorted({name for c in tagged or candidates for name in c.model_fields})


def _tag(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    values = get_args(field.annotation) if field else ()
    return values[0] if values else None
