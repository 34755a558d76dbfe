"""`docs/configuration.md`: every key of the config, from the schema itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from attnpipe.pipeline.compose import members
from attnpipe.pipeline.config import load_study
from attnpipe.schema.base import models_in
from attnpipe.schema.study import StudySpec

HEAD = """# Configuration

*Generated from the schema by `make docs`.*

A study is composed from the groups in `config/` by [Hydra](https://hydra.cc) and then checked
against the schema below: unknown keys, wrong types and impossible values stop before the first
job. Change anything from the command line, in Hydra's own grammar:

```
snakemake --cores 4 --config study=steering overrides='seeds=[0,1] models.lstm_small_simple.hidden=32'
```

| to | write inside `overrides='…'` |
|---|---|
| change a value | `analysis.contrast.delta=0.05` |
| add a variant of a model | `+model@models.tiny=lstm_small_simple models.tiny.hidden=8 models.tiny.label=tiny` |
| remove a model | `~models.mlp_flat` |
| remove an arm of a model: name those that stay | `models.lstm_small_simple.arms=[none,uniform]` |
| colour a figure | `figure.show.entropy.color="#0072B2"` |
| keep results of a variant apart | `name=my_variant` |

In `study=prompts` one would, among others,

| to | write inside `overrides='…'` |
|---|---|
| ask a model of one's own | `model@models.chat=local models.chat.source.path=/data/my-model models.chat.label=Mine` |
| ask in a way of one's own | `+data.variants.pirate={instruction: "Answer like a pirate, please."}` |
| change a way of asking | `data.variants.cot.instruction="Think first, then answer."` |
| drop one | `~data.variants.expert` |
| word the questions in another way | `data.question="How much is {first} {operation} {second}?"` |
| have fewer examples | `data.shots=[0,1] analysis.text.answers.variants=[structured,1_shot] compression.variants=[1_shot]` |

A `+` adds what is not there yet. A text with blanks or signs stands in double quotes, and all
overrides together in single ones, which the shell takes off.

Defaults are those of `study=geomagnetic scale=quick`. `study` and `scale` are given beside `overrides`, not inside. `python -m attnpipe describe` takes
what stands behind `--config`, prints the resolved study and runs nothing; it also takes single
overrides (`describe study=prompts data.questions=8`), which Snakemake's `--config` does not: there
they stand inside `overrides='…'`.

## Groups

| group | members |
|---|---|
"""


def configuration_page(config_folder: Path) -> str:
    """Return the page as Markdown."""
    groups = sorted(path.name for path in config_folder.iterdir() if path.is_dir())
    rows = [f"| `{g}` | {', '.join(f'`{m}`' for m in members(config_folder, g))} |" for g in groups]
    chosen = load_study(config_folder, {}).spec.model_dump(mode="json")
    chosen["analysis"] = _given(config_folder / "analysis" / "default.yaml")
    sources = {
        m: {"data": _given(config_folder / "data" / f"{m}.yaml")}
        for m in members(config_folder, "data")
    }
    sections = [
        _section(path, model, sources.get(_kind(model), chosen) if path == "data." else chosen)
        for path, model in _walk("", StudySpec)
    ]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections)


def _given(file: Path) -> dict[str, Any]:
    """Return the values of a group's file, without those that a study or a user must give."""
    found: dict[str, Any] = _without_gaps(yaml.safe_load(file.read_text("utf-8")))
    return found


def _without_gaps(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    return {key: _without_gaps(value) for key, value in values.items() if value != "???"}


def _kind(model: type[BaseModel]) -> str:
    field = model.model_fields.get("kind")
    return str(get_args(field.annotation)[0]) if field else ""


def _walk(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        keyed = "<name>." if get_origin(field.annotation) is dict else ""
        for child in models_in(field.annotation):
            yield from _walk(f"{path}{name}.{keyed}", child)


def _section(path: str, model: type[BaseModel], study: dict[str, Any]) -> str:
    kind = _kind(model)
    chosen = f" with `kind: {kind}`" if kind else ""
    title = f"`{path.rstrip('.')}`{chosen}" if path else "The study"
    lines = [f"## {title}", "", _sentence(model.__doc__ or ""), ""]
    values = _inside(study, path.rstrip("."), kind or None)
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = _sentence(field.description or "").replace("|", "\\|")
        default = _default(field, values.get(name))
        lines.append(f"| `{path}{name}` | {_type(field)} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _inside(study: Any, path: str, kind: str | None) -> dict[str, Any]:
    """Return the default study's values of a section, or none if it has no such section."""
    for part in path.split(".") if path else []:
        study = study.get(part) if isinstance(study, dict) else None
    fits = isinstance(study, dict) and (kind is None or study.get("kind") == kind)
    return study if fits else {}


def _default(field: FieldInfo, value: Any) -> str:
    """Return the value in the default study, else the schema's own."""
    if value is None and not field.is_required():
        value = field.get_default(call_default_factory=True)
    elif value is None:
        return "*required*"
    if isinstance(value, BaseModel | dict) and models_in(field.annotation):
        return "see below"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(field: FieldInfo) -> str:
    bounds = [text for item in field.metadata if (text := _bound(item))]
    return _name(field.annotation) + (f", {', '.join(bounds)}" if bounds else "")


def _bound(item: Any) -> str:
    match item:
        case Ge():
            return f"≥ {item.ge}"
        case Gt():
            return f"> {item.gt}"
        case Le():
            return f"≤ {item.le}"
        case Lt():
            return f"< {item.lt}"
        case MultipleOf():
            return f"multiple of {item.multiple_of}"
        case MinLen():
            return f"at least {item.min_length}"
        case MaxLen() | Len():
            return f"at most {item.max_length}"
    pattern = getattr(item, "pattern", None)
    return f"`{pattern}`".replace("|", "\\|") if pattern else ""


def _name(annotation: Any) -> str:
    """Return a type in words."""
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if annotation is type(None):
        return "null"
    if origin is list:
        return f"list of {_name(arguments[0])}"
    if origin is dict:
        return f"mapping of name to {_name(arguments[1])}"
    if hasattr(annotation, "__metadata__"):
        bounds = [text for item in annotation.__metadata__ for text in [_bound_of(item)] if text]
        return _name(arguments[0]) + (f" ({', '.join(bounds)})" if bounds else "")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    if isinstance(annotation, type):
        return {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}.get(
            annotation.__name__, annotation.__name__
        )
    if arguments and all(isinstance(a, str) for a in arguments):
        return " or ".join(f"`{a}`" for a in arguments)
    return " or ".join(dict.fromkeys(_name(argument) for argument in arguments))


def _bound_of(item: Any) -> str:
    """Return the bounds inside a pydantic `Field(...)` as text."""
    return ", ".join(t for m in getattr(item, "metadata", [item]) if (t := _bound(m)))
